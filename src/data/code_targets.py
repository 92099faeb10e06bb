"""Codes of the clean faces, both ways round, kept on disk for the stages that predict them (performance.md 5)."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Int, Int64

from src.checkpoints.files import atomic_path
from src.data.mapped_array import mapped_array
from src.settings.errors import UserError

LARGEST_CODEBOOK = 2**15
"""Codes are stored as int16."""


class CodeTargets:
    """Memory-mapped int16 codes "n 2 l": of each face, and of the face flipped; pickled as its path."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._codes = mapped_array(path, "codes")

    def __len__(self) -> int:
        return len(self._codes)

    def of(self, face: int, flipped: bool) -> Int64[np.ndarray, "l"]:
        """The codes of a face, or of its mirror image."""
        return self._codes[face, int(flipped)].astype(np.int64)

    def __reduce__(self) -> tuple[type["CodeTargets"], tuple[Path]]:
        return CodeTargets, (self._path,)


def targets_path(cache: Path, *, vqgan: str, faces: str, split: str, size: int) -> Path:
    """Where the codes that the VQGAN of SHA-256 `vqgan` gives the faces of fingerprint `faces` are kept."""
    return cache / "codes" / f"{vqgan[:16]}-{faces[:16]}-{split}-{size}.npy"


def write_code_targets(path: Path, shape: tuple[int, int], batches: Iterable[Int[np.ndarray, "b 2 l"]]) -> None:
    """Write the codes of `shape` = (faces, codes a face), batch after batch, under a temporary name; then rename it.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    count, length = shape
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as handle:
            header = {"descr": "<i2", "fortran_order": False, "shape": (count, 2, length)}
            np.lib.format.write_array_header_1_0(handle, header)
            for codes in batches:
                assert codes.max(initial=0) < LARGEST_CODEBOOK
                handle.write(codes.astype("<i2").tobytes())
                written += len(codes)
            assert written == count
    except OSError as error:
        raise UserError(
            f"{path}: the codes cannot be written ({error.strerror or error}); free some space, or set "
            "trainer.code_targets=on_the_fly"
        ) from None
