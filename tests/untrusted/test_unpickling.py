"""Files that would run code, or ask for any amount of memory, while they are read."""

import ast
import json
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from src.checkpoints.import_published import import_published
from src.checkpoints.network_file import load_network
from src.checkpoints.tensor_file import read_tensor_file
from src.data.mapped_array import mapped_array
from src.data.synthetic import FaceStore
from src.metrics.inception_statistics import read_statistics
from src.metrics.reference_set import _read as read_features
from src.restorers.chosen import ChosenRestorer, Setting
from src.restorers.locate import resolve_checkpoints
from src.settings.errors import UserError
from tests.untrusted.hostile_pickles import Allocates, RunsCode
from tests.untrusted.limits import outcome_within

ROOT = Path(__file__).parents[2]


def restorer(path: Path) -> None:
    """What `src.restore`, `src.evaluate` and training do with `checkpoint=<path>`."""
    files = resolve_checkpoints("codeformer", str(path), None)
    ChosenRestorer("codeformer", files).built(Setting(), torch.device("cpu"))


def imported(path: Path) -> None:
    """`python -m src.weights import`."""
    import_published(path, path, path, path.parent / "runs")


READERS: dict[str, Callable[[Path], Any]] = {
    "weights file": read_tensor_file,
    "import": imported,
    "statistics": read_statistics,
    "cached array": lambda path: mapped_array(path, "faces"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["torch", "old torch", "pickle", "npy", "npz"])
def test_no_reader_runs_what_a_file_holds(tmp_path: Path, reader: str, kind: str) -> None:
    path, trace = tmp_path / "file.pth", tmp_path / "it_ran"
    content = {"params_ema": RunsCode(trace)}
    if kind == "pickle":
        path.write_bytes(pickle.dumps(content))
    elif kind.endswith("torch"):
        torch.save(content, path, _use_new_zipfile_serialization=kind == "torch")
    else:
        with path.open("wb") as stream:
            save = np.save if kind == "npy" else np.savez
            save(stream, np.array(content, dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match=r"file\.pth"):
        READERS[reader](path)
    assert not trace.exists()


def test_the_cached_features_of_a_reference_set_are_computed_anew(tmp_path: Path) -> None:
    path, trace = tmp_path / "features.npz", tmp_path / "it_ran"
    hostile = np.array(RunsCode(trace), dtype=object)
    np.savez(path, mean=hostile, root=hostile, features=hostile, allow_pickle=True)
    assert read_features(path) is None
    assert not trace.exists()


def test_the_cached_faces_are_refused(tmp_path: Path) -> None:
    trace = tmp_path / "it_ran"
    for name in ("images", "landmarks"):
        np.save(tmp_path / f"{name}.npy", np.array(RunsCode(trace), dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="the cached faces are damaged"):
        FaceStore(tmp_path)
    assert not trace.exists()


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt", ".safetensors", ""])
def test_a_restorer_takes_no_code_under_any_name(tmp_path: Path, suffix: str) -> None:
    path, trace = tmp_path / f"net{suffix}", tmp_path / "it_ran"
    torch.save({"params_ema": {"weight": RunsCode(trace)}}, path)
    with pytest.raises(UserError, match="net"):
        restorer(path)
    assert not trace.exists()


def test_compressed_tensors_and_large_requests_take_no_memory(tmp_path: Path) -> None:
    plain, packed, asking = (tmp_path / f"{name}.pth" for name in ("plain", "packed", "asking"))
    torch.save({"params": {"weight": torch.zeros(2**24)}}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for member in source.infolist():
            target.writestr(member.filename, source.read(member))
    assert packed.stat().st_size < 2**20
    kind, text = outcome_within(read_tensor_file, packed, memory=2**25)
    assert (kind, "compressed" in text) == ("UserError", True), text
    asking.write_bytes(b"")
    torch.save({"params": Allocates(2**45)}, asking)
    kind, text = outcome_within(read_tensor_file, asking)
    assert kind == "UserError", text


def header(settings: Any, kind: Any = "vqgan", facts: Any = None) -> str:
    """The text under which a weights file of this suite describes itself."""
    about = {"format": "blind-face-restoration-suite/1", "kind": kind, "settings": settings, "facts": facts or {}}
    return json.dumps(about)


LAYERS = {
    "image_size": 64, "width": 32, "multipliers": [1, 2], "residual_blocks": 10**9, "attention_sizes": [],
    "norm_groups": 8, "codebook_size": 8, "code_dim": 8,
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (header({"autoencoder": LAYERS}), "far more than the 1 tensors"),
        (header({"autoencoder": LAYERS | {"width": -8, "residual_blocks": 1}}), "do not describe a vqgan"),
        (header({}, kind=["vqgan"]), "no weights file of this suite"),
        (header([], kind="vqgan"), "no weights file of this suite"),
        (header({}, facts={"process": {}}), "no weights file of this suite"),
        ("[" * 100_000, "nested too deeply"),
    ],
    ids=["a billion blocks", "a negative width", "a list for a kind", "a list for settings", "no text", "depth"],
)
def test_headers_that_lie_are_refused_at_once(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "net.safetensors"
    save_file({"weight": torch.zeros(1)}, path, metadata={"network": text})
    kind, said = outcome_within(load_network, path)
    assert kind == "UserError", said
    assert re.search(reason, said), said


CALLS = {
    ("torch", "load"): {"weights_only": True},
    ("np", "load"): {"allow_pickle": False},
    ("numpy", "load"): {"allow_pickle": False},
}
"""Calls that may stand in the suite only if these options are as safe as here; np.load's default is."""
NEVER = {
    *(("pickle", name) for name in ("load", "loads", "Unpickler")),
    *(("yaml", name) for name in ("load", "unsafe_load", "full_load")),
    *(("os", name) for name in ("system", "popen")),
    *((module, "load") for module in ("joblib", "dill", "cloudpickle", "marshal", "shelve")),
    ("Image", "open"),
}
SUSPECTS = re.compile(
    r"pickle|yaml|joblib|dill|marshal|shelve|subprocess|\.load\(|\beval\(|\bexec\(|os\.(system|popen)|Image\.open"
)
"""Only files with one of these are parsed."""
OPENS_PICTURES = "src/faces/open_picture.py"


def test_no_code_of_the_suite_unpickles_or_asks_a_shell() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "experiments").rglob("*.py")]
        if SUSPECTS.search(text := path.read_text(encoding="utf-8"))
        for call in ast.walk(ast.parse(text))
        if isinstance(call, ast.Call) and _is_unsafe(call, path.relative_to(ROOT).as_posix())
    ]
    assert not found


def _is_unsafe(call: ast.Call, file: str) -> bool:
    options = {word.arg: getattr(word.value, "value", None) for word in call.keywords}
    if isinstance(call.func, ast.Name):
        return call.func.id in ("eval", "exec")
    if not isinstance(call.func, ast.Attribute) or not isinstance(call.func.value, ast.Name):
        return False
    name = (call.func.value.id, call.func.attr)
    if name == ("Image", "open") and file == OPENS_PICTURES:
        return False
    needed = CALLS.get(name, {})
    differing = [key for key, value in needed.items() if options.get(key, key != "weights_only" and value) is not value]
    return name in NEVER or bool(differing) or (name[0] == "subprocess" and options.get("shell") is True)
