"""The faces of one split of a packed store, wherever its pixels lie."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, UInt8

from src.data.packed_store import PackedFace, StoreFacts
from src.data.resized import resized
from src.data.splits import SPLITS, checked_split
from src.settings.errors import UserError


class IndexedFaces(ABC):
    """A `FaceSource` over the index of a store, in the order packed; a smaller `size` averages areas.

    Raises:
        UserError: the split is empty; `size` is larger than the stored faces.
    """

    def __init__(self, facts: StoreFacts, index: Sequence[PackedFace], *, where: str, split: str, size: int) -> None:
        self._facts, self._index, self.size = facts, index, size
        self._rows = [row for row, face in enumerate(index) if face.split == checked_split(split)]
        if not self._rows:
            raise UserError(f"data: the {split} split of {where} is empty; pack a source that has one")
        if size > facts.size:
            raise UserError(
                f"data.root: {where} holds faces of {facts.size} pixels, {size} are asked for; pack them at {size} pixels, "
                "or choose a smaller scale"
            )
        # Where damaged faces were left out, a label of the source may be missing.
        packed = sorted({index[row].identity for row in self._rows})
        self._labels = {label: place for place, label in enumerate(packed)}

    @abstractmethod
    def _stored(self, row: int) -> UInt8[np.ndarray, "a a 3"]:
        """The stored face of a row of the index; may be read-only."""

    @property
    def identities(self) -> int:
        """Number of identities in this split."""
        return len(self._labels)

    def __len__(self) -> int:
        return len(self._rows)

    def image(self, index: int) -> UInt8[np.ndarray, "s s 3"]:
        """The face as RGB; a copy."""
        stored = self._stored(self._row(index))
        return stored.copy() if len(stored) == self.size else resized(stored, self.size)

    def name(self, index: int) -> str:
        """The name under which it was packed."""
        return self._index[self._row(index)].name

    def identity(self, index: int) -> int:
        """Label of the identity, 0 .. identities - 1."""
        return self._labels[self._index[self._row(index)].identity]

    def landmarks(self, index: int) -> Float32[np.ndarray, "5 2"] | None:
        """Five points as (x, y), scaled with the face; None if it has none."""
        points = self._index[self._row(index)].landmarks
        if points is None:
            return None
        return np.array(points, np.float32) * np.float32(self.size / self._facts.size)

    def fingerprint(self) -> str:
        """SHA-256 over the index, which holds the hash of every face; the store may be moved."""
        return self._facts.index_sha256

    def _row(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(f"face {index} of {len(self)}")
        return self._rows[index]


def count_indexed(index: Sequence[PackedFace]) -> dict[str, tuple[int, int]]:
    """(images, identities) of every split."""
    people = {split: [face.identity for face in index if face.split == split] for split in SPLITS}
    return {split: (len(found), len(set(found))) for split, found in people.items()}
