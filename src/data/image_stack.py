"""Room for many images of one size, in memory or, where they are too many, on disk."""

import os
import tempfile

import numpy as np
from jaxtyping import UInt8

from src.settings.errors import UserError

IN_MEMORY = 2**30
"""Bytes of a stack that stay in memory; a larger one is memory-mapped."""


def empty_stack(count: int, size: int) -> UInt8[np.ndarray, "n s s 3"]:
    """An array to be filled with `count` square images.

    Above `IN_MEMORY` bytes it lies in a nameless file of the temporary folder (TMPDIR), which vanishes with the array.

    Raises:
        UserError: the temporary folder has no room for it.
    """
    shape = (count, size, size, 3)
    nbytes = count * size * size * 3
    if nbytes <= IN_MEMORY:
        return np.empty(shape, np.uint8)
    try:
        with tempfile.TemporaryFile() as file:
            # Reserved at once: a disk that fills up behind a memory map would kill the process.
            reserve = getattr(os, "posix_fallocate", lambda handle, _, length: os.truncate(handle, length))
            reserve(file.fileno(), 0, nbytes)
            return np.memmap(file, np.uint8, mode="r+", shape=shape)
    except OSError as error:
        raise UserError(
            f"{tempfile.gettempdir()}: has no room for {nbytes / 2**30:.1f} GiB of images ({error.strerror or error}); "
            "free some space, or set TMPDIR to a folder that has more"
        ) from None
