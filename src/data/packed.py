"""A packed store as a source."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from src.data.indexed_faces import IndexedFaces, count_indexed
from src.data.packed_store import PackedStore
from src.settings.data import PackedSettings


class PackedFaces(IndexedFaces):
    """The faces of one split of a packed store, read through the memory map: it may be larger than memory.

    Raises:
        UserError: see `PackedStore` and `IndexedFaces`.
    """

    def __init__(self, settings: PackedSettings, *, split: str, size: int) -> None:
        self._store = PackedStore(Path(settings.root).expanduser())
        super().__init__(self._store.facts, self._store.index, where=str(self._store.folder), split=split, size=size)

    def _stored(self, row: int) -> UInt8[np.ndarray, "a a 3"]:
        return self._store.image(row)


def count_faces(settings: PackedSettings) -> dict[str, tuple[int, int]]:
    """(images, identities) of every split.

    Raises:
        UserError: see `PackedStore`.
    """
    return count_indexed(PackedStore(Path(settings.root).expanduser()).index)
