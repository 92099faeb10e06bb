"""The two branches of every training face, kept on disk where its degradation is frozen (codeformer_plus_plus.md 2)."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8

from src.checkpoints.files import atomic_path
from src.data.mapped_array import mapped_array
from src.settings.errors import UserError

Face = UInt8[np.ndarray, "s s 3"]


class StoredBranches(NamedTuple):
    """The branches of one face."""

    identity: UInt8[np.ndarray, "s s 3"]
    generative: UInt8[np.ndarray, "s s 3"]
    landmarks: Float32[np.ndarray, "2 k 2"] | None
    """Of the identity and of the generative branch, array indices; None where registration needs none."""


class BranchStore:
    """Memory-mapped branches uint8 "n 2 s s 3", and their landmarks; pickled as its folder.

    Raises:
        UserError: a file is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._images = mapped_array(folder / "branches.npy", "branches")
        points = folder / "landmarks.npy"
        self._landmarks = mapped_array(points, "landmarks of the branches") if points.is_file() else None

    def __len__(self) -> int:
        return len(self._images)

    def of(self, face: int) -> StoredBranches:
        """The branches of a face."""
        identity, generative = np.array(self._images[face])
        points = None if self._landmarks is None else np.array(self._landmarks[face])
        return StoredBranches(identity, generative, points)

    def __reduce__(self) -> tuple[type["BranchStore"], tuple[Path]]:
        return BranchStore, (self._folder,)


def branches_folder(cache: Path, digest: str) -> Path:
    """Where the branches that `digest` stands for are kept: faces, degradation, networks and settings."""
    return cache / "branches" / digest


def is_complete(folder: Path) -> bool:
    """Whether the branches are there; the images get their name when everything is written."""
    return (folder / "branches.npy").is_file()


def write_branches(folder: Path, shape: tuple[int, int], batches: Iterable[list[StoredBranches]]) -> None:
    """Write the branches of `shape` = (faces, side), batch after batch, under a temporary name; then rename it.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    count, side = shape
    points: list[np.ndarray] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(folder / "branches.npy") as temporary:
            with temporary.open("wb") as handle:
                header = {"descr": "|u1", "fortran_order": False, "shape": (count, 2, side, side, 3)}
                np.lib.format.write_array_header_1_0(handle, header)
                for batch in batches:
                    for face in batch:
                        handle.write(face.identity.tobytes() + face.generative.tobytes())
                        points += [] if face.landmarks is None else [face.landmarks]
            _write_landmarks(folder, points)
    except OSError as error:
        raise UserError(
            f"{folder}: the branches cannot be written ({error.strerror or error}); free some space, or set "
            "branches.draws=fresh"
        ) from None


def _write_landmarks(folder: Path, points: list[np.ndarray]) -> None:
    """Before the images get their name, so that these never lie there alone."""
    if points:
        with atomic_path(folder / "landmarks.npy") as temporary, temporary.open("wb") as handle:
            np.save(handle, np.stack(points).astype(np.float32))
