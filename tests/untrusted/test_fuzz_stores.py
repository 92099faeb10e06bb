"""Stores, benchmarks and runs of others, whose check sums fit whatever they say: a value or a `UserError`."""

import hashlib
import json
import tempfile
import warnings
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.fuzz.readers import is_refused_or_read
from src.checkpoints.store import RunStatus, StoredRun, read_run
from src.data.benchmark import assemble, pixel_hash
from src.data.frozen_benchmark import load_frozen
from src.data.frozen_manifest import read_manifest, sealed
from src.data.packed_store import PackedFace, PackedStore
from src.data.streamed import read_remote_index
from src.settings.errors import UserError
from tests.untrusted.bombs import saved
from tests.untrusted.strategies import BOUNDED, JSON


def changes_of(whole: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Up to two of its entries with anything in their place."""
    return st.dictionaries(st.sampled_from(sorted(whole)), JSON, max_size=2)


FACTS = {"format": 1, "count": 1, "size": 2, "source": "a", "index_sha256": "", "libraries": {}}
ROW = {"name": "a", "split": "train", "identity": 0, "landmarks": None, "sha256": ""}


def packed(folder: Path, facts: dict[str, Any], row: dict[str, Any]) -> Path:
    """A store of one face with these changes, whose index has the hash that it tells."""
    index = json.dumps([ROW | row]).encode()
    told = FACTS | {"index_sha256": hashlib.sha256(index).hexdigest()} | facts
    (folder / "store.json").write_text(json.dumps(told))
    (folder / "index.json").write_bytes(index)
    (folder / "images.bin").write_bytes(bytes(12))
    return folder


@BOUNDED
@given(
    changes_of(FACTS),
    st.dictionaries(st.sampled_from(sorted(ROW)), JSON),
)
def test_packed_stores_whose_hashes_fit(facts: dict[str, Any], row: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = packed(Path(name), facts, row)
        with suppress(UserError):
            assert PackedStore(folder).images.shape == (1, 2, 2, 3)
        with suppress(UserError):
            assert len(read_remote_index(name)[1]) == 1


PIXELS = np.full((2, 2, 3), 90, np.uint8)
PIXEL_FILE = saved("PNG", (2, 2))
SIDE = {"file": hashlib.sha256(PIXEL_FILE).hexdigest(), "pixels": pixel_hash(PIXELS)}
FACE = {"name": "a", "identity": 0, "landmarks": None, "hq": None, "lq": SIDE}
BENCHMARK = {"name": "b", "split": "test", "seed": None, "recipe": "r", "recipe_hash": "", "source": "", "notes": []}
HASH = assemble(
    **BENCHMARK, hq=None, lq=PIXELS[None], names=["a"], identities=[0], landmarks=[None], factors=None
).hash  # fmt: skip
MANIFEST = {
    **BENCHMARK, "count": 1, "size": 2, "hash": HASH, "recipe_content": None, "libraries": {"pillow": "1"},
    "faces": [FACE],
}  # fmt: skip
STATUS = asdict(RunStatus("vqgan", "abcd", "run", "finished"))


def frozen(folder: Path, content: dict[str, Any], face: dict[str, Any]) -> Path:
    """A benchmark of one face with these changes, sealed."""
    (folder / "lq").mkdir()
    (folder / "lq" / "a.png").write_bytes(PIXEL_FILE)
    (folder / "manifest.json").write_text(json.dumps(sealed(MANIFEST | {"faces": [FACE | face]} | content)))
    return folder


@BOUNDED
@given(changes_of(MANIFEST), changes_of(STATUS), JSON)
def test_manifests_and_states_of_anything(content: dict[str, Any], status: dict[str, Any], other: Any) -> None:
    assert is_refused_or_read("manifest", json.dumps(sealed(MANIFEST | content)).encode())
    assert is_refused_or_read("status", json.dumps(STATUS | status).encode())
    for name in ("manifest", "store", "remote", "status"):
        assert is_refused_or_read(name, json.dumps(other).encode())


@BOUNDED
@given(changes_of(MANIFEST), st.dictionaries(st.sampled_from(sorted(FACE)), JSON, max_size=1))
def test_benchmarks_whose_manifest_is_sealed(content: dict[str, Any], face: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings(), suppress(UserError):
        warnings.simplefilter("ignore")
        assert len(load_frozen(frozen(Path(name), content, face))) == 1


def test_what_is_whole_is_read(tmp_path: Path) -> None:
    """Else all of the above would pass with readers that refuse everything."""
    store = packed(tmp_path, {}, {})
    assert PackedStore(store).index == read_remote_index(str(store))[1] == [PackedFace(**ROW)]
    frozen(tmp_path, {}, {})
    assert read_manifest(tmp_path) | MANIFEST == read_manifest(tmp_path)
    assert load_frozen(tmp_path).names == ("a",)
    (tmp_path / "status.json").write_text(json.dumps(STATUS))
    assert read_run(tmp_path) == StoredRun(tmp_path, RunStatus(**STATUS))


@pytest.mark.parametrize(
    ("content", "face", "message"),
    [
        ({"hash": "abc"}, {}, rf"the faces have the hash {HASH}, not abc; restore the files"),
        ({}, {"lq": None}, r"1 of 1 files differ from .*lq/a\.png, which does not belong"),
        ({}, {"name": "../a"}, "'../a' cannot name a file"),
        ({"size": 3}, {}, "decodes to other pixels"),
        ({"faces": []}, {}, r"1 of 1 files differ from .*does not belong"),
    ],
)
def test_sealed_manifests_that_are_wrong_are_told(
    tmp_path: Path, content: dict[str, Any], face: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        load_frozen(frozen(tmp_path, content, face))


def test_a_sealed_manifest_whose_faces_have_no_pictures_is_told(tmp_path: Path) -> None:
    frozen(tmp_path, {}, {"lq": None, "hq": None})
    (tmp_path / "lq" / "a.png").unlink()
    with pytest.raises(
        UserError, match=r"does not describe a benchmark \(ValueError: its first face has no lq picture\)"
    ):
        load_frozen(tmp_path)
