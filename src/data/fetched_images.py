"""Images that were fetched from far, kept on disk: each is fetched once, by whichever process comes first."""

import mmap
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from src.settings.errors import UserError


class FetchedImages:
    """Room on disk for `count` square images in `folder`, filled as they are asked for; pickled by its arguments.

    Raises:
        UserError: the folder cannot be written, or its disk has no room for all of them.
    """

    def __init__(self, folder: Path, count: int, size: int) -> None:
        self._folder, self._count, self._size = folder, count, size
        shape = (count, size, size, 3)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._images = np.frombuffer(_mapped(folder / "images.bin", int(np.prod(shape))), np.uint8).reshape(shape)
            self._filled = np.frombuffer(_mapped(folder / "filled.bin", count), np.uint8)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(
                f"data.cache: {folder} has no room for {np.prod(shape) / 2**30:,.1f} GiB of faces ({reason}); free some "
                "space, give another folder, or data.cache=null"
            ) from None

    def get(self, index: int, fetch: Callable[[], UInt8[np.ndarray, "s s 3"]]) -> UInt8[np.ndarray, "s s 3"]:
        """A copy of the image at `index`; `fetch` brings it the first time."""
        if not self._filled[index]:
            self._images[index] = fetch()
            # Set last: another process must never see the mark of an image that is not complete.
            self._filled[index] = 1
        return self._images[index].copy()

    def __reduce__(self) -> tuple[type["FetchedImages"], tuple[Path, int, int]]:
        return FetchedImages, (self._folder, self._count, self._size)


def _mapped(path: Path, nbytes: int) -> mmap.mmap:
    with path.open("a+b") as file:
        # Reserved at once: a disk that fills up behind a memory map would kill the process.
        reserve = getattr(os, "posix_fallocate", lambda handle, _, length: os.truncate(handle, length))
        reserve(file.fileno(), 0, nbytes)
        return mmap.mmap(file.fileno(), nbytes)
