"""Stores, benchmarks and runs of others, whose check sums fit whatever they say: a value or a `UserError`."""

import hashlib
import json
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from experiments.fuzz.readers import is_refused_or_read
from src.data.benchmark import pixel_hash
from src.data.frozen_benchmark import load_frozen
from src.data.frozen_manifest import sealed
from src.data.packed_store import PackedStore
from src.data.streamed import read_remote_index
from src.settings.errors import UserError
from tests.untrusted.bombs import saved
from tests.untrusted.strategies import BOUNDED, JSON


@BOUNDED
@given(JSON)
def test_manifests_of_anything(content: Any) -> None:
    text = json.dumps(content).encode()
    for name in ("manifest", "store", "remote store", "status"):
        assert is_refused_or_read(name, text)


FACTS = {"format": 1, "count": 1, "size": 2, "source": "a", "index_sha256": "", "libraries": {}}
ROW = {"name": "a", "split": "train", "identity": 0, "landmarks": None, "sha256": ""}


@BOUNDED
@given(
    st.dictionaries(st.sampled_from(sorted(FACTS)), JSON, max_size=2),
    st.dictionaries(st.sampled_from(sorted(ROW)), JSON),
)
def test_packed_stores_whose_hashes_fit(facts: dict[str, Any], row: dict[str, Any]) -> None:
    index = json.dumps([ROW | row]).encode()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        told = FACTS | {"index_sha256": hashlib.sha256(index).hexdigest()} | facts
        (folder / "store.json").write_text(json.dumps(told))
        (folder / "index.json").write_bytes(index)
        (folder / "images.bin").write_bytes(bytes(12))
        with suppress(UserError):
            assert PackedStore(folder).images.shape == (1, 2, 2, 3)
        with suppress(UserError):
            assert len(read_remote_index(name)[1]) == 1


PIXELS = np.full((2, 2, 3), 90, np.uint8)
PIXEL_FILE = saved("PNG", (2, 2))
SIDE = {"file": hashlib.sha256(PIXEL_FILE).hexdigest(), "pixels": pixel_hash(PIXELS)}
FACE = {"name": "a", "identity": 0, "landmarks": None, "hq": None, "lq": SIDE}
MANIFEST = {
    "name": "b", "split": "test", "seed": None, "recipe": "r", "recipe_hash": "", "source": "", "notes": [], "count": 1,
    "size": 2, "hash": "", "recipe_content": None, "libraries": {"pillow": "1"}, "faces": [FACE],
}  # fmt: skip


@BOUNDED
@given(
    st.dictionaries(st.sampled_from(sorted(MANIFEST)), JSON, max_size=2),
    st.dictionaries(st.sampled_from(sorted(FACE)), JSON, max_size=1),
)
def test_benchmarks_whose_manifest_is_sealed(content: dict[str, Any], face: dict[str, Any]) -> None:
    whole = sealed(MANIFEST | {"faces": [FACE | face]} | content)
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(name)
        (folder / "lq").mkdir()
        (folder / "lq" / "a.png").write_bytes(PIXEL_FILE)
        (folder / "manifest.json").write_text(json.dumps(whole))
        with suppress(UserError):
            load_frozen(folder)
