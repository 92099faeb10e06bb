"""Readers on damaged and made-up files: a value or a `UserError`, never another exception."""

import io
import json
import struct
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from experiments.fuzz.readers import READERS, is_refused_or_read
from src.config.compose import _by_key, _named_mistakes
from src.settings.errors import UserError
from src.tracking import per_image
from tests.untrusted.bombs import many_scans, png, saved, with_exif
from tests.untrusted.limits import outcome_within
from tests.untrusted.strategies import BOUNDED, JSON, damaged


def pictures() -> list[bytes]:
    """A small picture of every kind that is read, with all that surrounds one."""
    kinds = [saved(kind, (6, 5)) for kind in ("PNG", "JPEG", "WEBP", "BMP", "TIFF")]
    deep = cv2.imencode(".png", np.full((5, 6, 3), 300, np.uint16))[1].tobytes()
    return [*kinds, deep, with_exif(6, 1), many_scans(2), png(2, 2, b"", 3)]


PICTURES = pictures()


@BOUNDED
@given(st.data())
def test_pictures(data: st.DataObject) -> None:
    content = data.draw(damaged(data.draw(st.sampled_from(PICTURES))) | st.binary(max_size=200))
    for name in ("face", "photo", "side"):
        assert is_refused_or_read(name, content)


def weights_file(description: Any) -> bytes:
    """A safetensors file of one tensor, which describes itself so."""
    header = json.dumps(
        {
            "__metadata__": {"network": description if isinstance(description, str) else json.dumps(description)},
            "weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
        }
    ).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4)


KINDS = ("vqgan", "codeformer", "recogniser", "diffusion_unet", "swinir", "srcnn", "registration", "texture_fusion",
         "latent_score", "latent_mask", "landmark_detector", "mobile_recogniser", "restoration_unet")  # fmt: skip
ABOUT = {"format": "blind-face-restoration-suite/1", "kind": "vqgan", "settings": {}, "facts": {}}
SIZES = st.integers(-2, 10**12) | st.integers(0, 8) | st.lists(st.integers(-1, 10**6), max_size=4) | JSON
NAMES = (
    "image_size",
    "width",
    "multipliers",
    "residual_blocks",
    "attention_sizes",
    "norm_groups",
    "codebook_size",
    "code_dim",
)


@BOUNDED
@given(
    st.fixed_dictionaries(dict.fromkeys(NAMES, SIZES)),
    st.sampled_from(KINDS) | JSON,
    st.booleans(),
    JSON,
)
def test_headers_of_networks(sizes: dict[str, Any], kind: Any, plain: bool, other: Any) -> None:
    described = ABOUT | {"kind": "vqgan" if plain else kind, "settings": {"autoencoder": sizes} if plain else other}
    assert is_refused_or_read("network", weights_file(described))


def torch_file() -> bytes:
    """What torch.save makes of a small network's weights."""
    buffer = io.BytesIO()
    torch.save({"params_ema": {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.zeros(2)}}, buffer)
    return buffer.getvalue()


def repacked(whole: bytes, pickled: bytes) -> bytes:
    """The same archive with another pickle in it, and checksums that fit."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as source, zipfile.ZipFile(buffer, "w") as target:
        for member in source.infolist():
            target.writestr(member.filename, pickled if member.filename.endswith("data.pkl") else source.read(member))
    return buffer.getvalue()


TORCH_FILE = torch_file()
SAFE_FILE = weights_file(ABOUT)
with zipfile.ZipFile(io.BytesIO(TORCH_FILE)) as _archive:
    PICKLED = _archive.read(next(name for name in _archive.namelist() if name.endswith("data.pkl")))


@BOUNDED
@given(st.data())
def test_weights_files(data: st.DataObject) -> None:
    assert is_refused_or_read("weights", data.draw(damaged(TORCH_FILE) | st.binary(max_size=100)))
    assert is_refused_or_read("weights", repacked(TORCH_FILE, data.draw(damaged(PICKLED))))
    assert is_refused_or_read("network", data.draw(damaged(SAFE_FILE) | st.binary(max_size=100)))


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The content of a whole result.json."""
    from tests.leaderboard.conftest import maker

    folder = maker(tmp_path_factory.mktemp("record"))("arm").folder
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


@BOUNDED
@given(data=st.data())
def test_records(record: dict[str, Any], data: st.DataObject) -> None:
    changed = dict(record)
    for key in data.draw(st.lists(st.sampled_from(sorted(record)), max_size=2)):
        changed[key] = data.draw(JSON)
    metric = changed["metrics"].get("psnr") if isinstance(changed["metrics"], dict) else None
    if isinstance(metric, dict):
        part = data.draw(st.sampled_from(sorted(metric)))
        changed["metrics"] = changed["metrics"] | {"psnr": metric | {part: data.draw(JSON)}}
    assert is_refused_or_read("record", json.dumps(changed).encode())
    assert is_refused_or_read("record", data.draw(damaged(json.dumps(record).encode())))


def parquet() -> bytes:
    """A small per-image table."""
    buffer = io.BytesIO()
    pd.DataFrame({"name": ["a", "b"], "psnr": [20.0, float("nan")]}).to_parquet(buffer, index=False)
    return buffer.getvalue()


PARQUET = parquet()


@BOUNDED
@given(st.data())
def test_tables_of_single_images(data: st.DataObject) -> None:
    assert is_refused_or_read("table", data.draw(damaged(PARQUET) | st.binary(max_size=100)))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"psnr": [1.0, 2.0]}, "no column 'name'"),
        ({"name": ["a", "a"]}, "does not name every face once"),
        ({"name": [1, 2]}, "does not name every face once"),
        ({"name": ["a", "b"], "psnr": ["1", "x"]}, "'psnr' holds no numbers"),
    ],
)
def test_tables_of_something_else_are_refused(tmp_path: Path, column: dict, message: str) -> None:
    path = tmp_path / "per_image.parquet"
    pd.DataFrame(column).to_parquet(path, index=False)
    with pytest.raises(UserError, match=message):
        READERS["table"](path)


def test_a_table_of_countless_rows_is_told_from_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "per_image.parquet"
    path.write_bytes(PARQUET)
    monkeypatch.setattr(per_image, "MOST_VALUES", 3)
    monkeypatch.setattr(pd, "read_parquet", None)  # must not be asked
    with pytest.raises(UserError, match="it has 2 rows"):
        READERS["table"](path)


def test_a_table_whose_parts_promise_more_rows_than_the_whole_is_refused(tmp_path: Path) -> None:
    """Found by fuzzing: two rows in all, 44 billion in the only part, which the reader makes room for."""
    data = bytearray(PARQUET)
    footer = data.rindex(b"PAR1") - 4
    start = footer - int.from_bytes(data[footer : footer + 4], "little")
    # The number of rows of a group follows its size in bytes; both are 8-byte numbers of variable length.
    groups = [place for place in range(start, footer) if data[place : place + 2] == b"\x16\x04"]
    refused = []
    for place in groups:
        path = tmp_path / "per_image.parquet"
        path.write_bytes(data[: place + 1] + b"\x7e" + data[place + 2 :])
        kind, text = outcome_within(READERS["table"], path)
        assert kind in ("UserError", "value"), text  # some of these numbers say nothing that matters
        refused.append(text)
    assert any("do not have the 2 rows of the whole" in text for text in refused)


SPECIAL = (
    "=",
    ",",
    "1",
    ")",
    "[",
    "]",
    "{",
    "}",
    "'",
    '"',
    "$",
    "${",
    "\\",
    ":",
    "+",
    "~",
    "@",
    "-",
    ".",
    " ",
    "\n",
    "ü",
)
CALLS = (
    "range(",
    "choice(",
    "glob(*)",
    "interval(0,1)",
    "shuffle(",
    "cast(",
    "int(",
    "tag(",
    "null",
    "1e400",
    "seed",
    "arm",
)
WORDS = st.sampled_from((*SPECIAL, *CALLS))


@BOUNDED
@given(st.lists(st.lists(WORDS, min_size=1, max_size=8).map("".join) | st.text(max_size=20), max_size=3))
def test_overrides(overrides: list[str]) -> None:
    with suppress(UserError), _named_mistakes():
        _by_key(overrides)


def test_the_readers_read_what_is_whole(record: dict[str, Any], tmp_path: Path) -> None:
    """Else all of the above would pass with readers that refuse everything; those of folders are in test_fuzz_stores."""
    whole: dict[str, bytes] = {
        "face": PICTURES[0], "photo": PICTURES[4], "side": saved("PNG", (5, 5)), "weights": TORCH_FILE,
        "table": PARQUET, "record": json.dumps(record).encode(),
    }  # fmt: skip
    for name, content in whole.items():
        path = tmp_path / f"{name}.bin"
        path.write_bytes(content)
        READERS[name](path)
    save_file({"weight": torch.zeros(1)}, tmp_path / "a.safetensors", metadata={"network": json.dumps(ABOUT)})
    with pytest.raises(UserError, match="settings do not describe a vqgan"):
        READERS["network"](tmp_path / "a.safetensors")


def test_an_exception_of_another_kind_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> None:
        raise KeyError("x")

    broken_reader: Callable[[Path], Any] = broken
    monkeypatch.setitem(READERS, "face", broken_reader)
    with warnings.catch_warnings(), pytest.raises(KeyError):
        is_refused_or_read("face", b"")
