"""Cached arrays on disk, read as they are needed."""

from pathlib import Path

import numpy as np

from src.settings.errors import UserError


def mapped_array(path: Path, what: str) -> np.ndarray:
    """The memory-mapped array in a file; `what` it holds, in the plural, is named in the error.

    Raises:
        UserError: the file is damaged.
    """
    try:
        mapped = np.load(path, mmap_mode="r")
        if not isinstance(mapped, np.ndarray):
            raise ValueError("it is an archive")
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: the cached {what} are damaged ({error}); delete the file, it is made anew") from None
    return mapped
