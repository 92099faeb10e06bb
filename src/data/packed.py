"""A packed store as a source."""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from src.data.packed_store import PackedStore
from src.data.splits import SPLITS, checked_split
from src.settings.data import PackedSettings
from src.settings.errors import UserError


class PackedFaces:
    """The faces of one split of a packed store (`FaceSource`), in the order packed.

    Faces are read through the memory map, so a store may be larger than memory. A smaller `size` averages areas.

    Raises:
        UserError: see `PackedStore`; the split is empty; `size` is larger than the stored faces.
    """

    def __init__(self, settings: PackedSettings, *, split: str, size: int) -> None:
        self._store = PackedStore(Path(settings.root).expanduser())
        self._rows = [row for row, face in enumerate(self._store.index) if face.split == checked_split(split)]
        if not self._rows:
            raise UserError(f"data: the {split} split of {self._store.folder} is empty; pack a source that has one")
        stored = self._store.facts.size
        if size > stored:
            raise UserError(
                f"data.root: {self._store.folder} holds faces of {stored} pixels, {size} are asked for; pack them at "
                f"{size} pixels, or choose a smaller scale"
            )
        self.size = size

    @property
    def identities(self) -> int:
        """Number of identities in this split."""
        return len({self._store.index[row].identity for row in self._rows})

    def __len__(self) -> int:
        return len(self._rows)

    def image(self, index: int) -> UInt8[np.ndarray, "s s 3"]:
        """The face as RGB; a copy."""
        stored = self._store.image(self._row(index))
        if self.size == self._store.facts.size:
            return stored.copy()
        resized: np.ndarray = cv2.resize(stored, (self.size, self.size), interpolation=cv2.INTER_AREA)
        return resized

    def name(self, index: int) -> str:
        """The name under which it was packed."""
        return self._store.index[self._row(index)].name

    def identity(self, index: int) -> int:
        """Label of the identity, 0 .. identities - 1."""
        return self._store.index[self._row(index)].identity

    def landmarks(self, index: int) -> Float32[np.ndarray, "5 2"] | None:
        """Five points as (x, y), scaled with the face; None if it has none."""
        points = self._store.index[self._row(index)].landmarks
        if points is None:
            return None
        return np.array(points, np.float32) * np.float32(self.size / self._store.facts.size)

    def fingerprint(self) -> str:
        """SHA-256 over the index, which holds the hash of every face; the folder may be moved."""
        return self._store.facts.index_sha256

    def _row(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(f"face {index} of {len(self)}")
        return self._rows[index]


def count_faces(settings: PackedSettings) -> dict[str, tuple[int, int]]:
    """(images, identities) of every split.

    Raises:
        UserError: see `PackedStore`.
    """
    index = PackedStore(Path(settings.root).expanduser()).index
    people = {split: [face.identity for face in index if face.split == split] for split in SPLITS}
    return {split: (len(found), len(set(found))) for split, found in people.items()}
