"""Decoded images that are kept in memory."""

import mmap
from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8

BUDGET = 2**30
"""Bytes of decoded images that are kept in memory."""


class ImageMemory:
    """Room for `count` square images, filled as they are asked for; keeps nothing if they exceed `BUDGET`.

    The memory is shared with forked loader processes, so that an image is decoded once by whichever comes first.
    A pickled copy starts empty.
    """

    def __init__(self, count: int, size: int) -> None:
        self._count, self._size = count, size
        nbytes = count * size * size * 3
        self._images: np.ndarray | None = None
        if 0 < nbytes <= BUDGET:
            self._images = np.frombuffer(mmap.mmap(-1, nbytes), np.uint8).reshape(count, size, size, 3)
            self._filled = np.frombuffer(mmap.mmap(-1, count), np.uint8)

    @property
    def keeps(self) -> bool:
        """Whether images are kept."""
        return self._images is not None

    def get(self, index: int, decode: Callable[[], UInt8[np.ndarray, "s s 3"]]) -> UInt8[np.ndarray, "s s 3"]:
        """A copy of the image at `index`; `decode` makes it the first time."""
        if self._images is None:
            return decode()
        if not self._filled[index]:
            self._images[index] = decode()
            # Set last: another process must never see the mark of an image that is not complete.
            self._filled[index] = 1
        return self._images[index].copy()

    def __reduce__(self) -> tuple[type["ImageMemory"], tuple[int, int]]:
        return ImageMemory, (self._count, self._size)
