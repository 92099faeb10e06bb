"""What every source of faces offers."""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8


@runtime_checkable
class FaceSource(Protocol):
    """The faces of one split, in a fixed order. An index is 0 .. len - 1; others raise `IndexError`."""

    @property
    def size(self) -> int:
        """Side of every image, pixels."""

    @property
    def identities(self) -> int:
        """Number of identities in this split."""

    def __len__(self) -> int: ...

    def image(self, index: int) -> UInt8[np.ndarray, "s s 3"]:
        """The face as RGB."""

    def name(self, index: int) -> str:
        """A name that is unique in the split and stays the same from run to run."""

    def identity(self, index: int) -> int:
        """Label of the identity, 0 .. identities - 1."""

    def landmarks(self, index: int) -> Float32[np.ndarray, "5 2"] | None:
        """Left eye, right eye, nose, left and right mouth corner as (x, y) in pixels; left is left in the picture."""

    def fingerprint(self) -> str:
        """SHA-256 (64 hexadecimal digits) of everything that defines the content of all splits, and of nothing else."""


@runtime_checkable
class KnowsFiles(Protocol):
    """A source that reads a file an image."""

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences on what is missing."""

    def side(self, index: int) -> int:
        """Side of the image as it is in the file, pixels."""

    def file(self, index: int) -> tuple[str, int]:
        """The file's name, and its size in bytes."""
