"""What is known exactly of rendered faces beyond their five points: 68 landmarks and part maps."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8

from src.checkpoints.files import atomic_path
from src.data.mapped_array import mapped_array
from src.data.source import FaceSource
from src.faces import RenderedFace
from src.settings.errors import UserError

LANDMARKS_FILE, PARTS_FILE = "landmarks68.npy", "parts.npy"
_MIRROR_PAIRS = (
    *((place, 16 - place) for place in range(8)),  # jaw
    *((17 + place, 26 - place) for place in range(5)),  # brows
    *((31, 35), (32, 34)),  # nostrils
    *((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)),  # eyes
    *((48, 54), (49, 53), (50, 52), (55, 59), (56, 58)),  # outer lips
    *((60, 64), (61, 63), (65, 67)),  # inner lips
)
_PARTNERS = dict(_MIRROR_PAIRS) | {right: left for left, right in _MIRROR_PAIRS}
MIRRORED68 = [_PARTNERS.get(place, place) for place in range(68)]
"""Landmark k of a mirrored face is landmark MIRRORED68[k] of the face (iBUG order)."""


@runtime_checkable
class FaceTruth(Protocol):
    """Exact landmarks and part maps of the faces of a source, by their index there."""

    def landmarks68(self, index: int) -> Float32[np.ndarray, "68 2"]:
        """iBUG points as (x, y) in pixels; pixel i covers [i, i + 1]."""

    def parts(self, index: int) -> UInt8[np.ndarray, "s s"]:
        """Values of `src.faces.parts.Part`."""


@runtime_checkable
class KnowsTruth(Protocol):
    """A source whose faces are known exactly."""

    def truth(self) -> FaceTruth:
        """Landmarks and part maps of its faces; the first call may take as long as rendering them."""


def truth_of(source: FaceSource) -> FaceTruth:
    """The exact landmarks and part maps of the faces of a source.

    Raises:
        UserError: they are not known, because the faces were not rendered; or they cannot be kept, or are damaged.
    """
    if not isinstance(source, KnowsTruth):
        raise UserError(
            "data.kind: exact landmarks and part maps are asked for, which are known of rendered faces only; choose "
            "data=synthetic_faces"
        )
    return source.truth()


class RenderedTruth:
    """Truth that is rendered each time it is asked for (`FaceTruth`)."""

    def __init__(self, render: Callable[[int], RenderedFace]) -> None:
        self._render = render

    def landmarks68(self, index: int) -> Float32[np.ndarray, "68 2"]:
        """iBUG points as (x, y) in pixels."""
        return self._render(index).landmarks68

    def parts(self, index: int) -> UInt8[np.ndarray, "s s"]:
        """Values of `Part`."""
        return self._render(index).parts


class StoredTruth:
    """Memory-mapped truth (`FaceTruth`); pickled as its folder, so that loader processes share the pages.

    Raises:
        UserError: the folder's files are damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._landmarks: Float32[np.ndarray, "n 68 2"] = mapped_array(folder / LANDMARKS_FILE, "landmarks")
        self._parts: UInt8[np.ndarray, "n s s"] = mapped_array(folder / PARTS_FILE, "part maps")

    def landmarks68(self, index: int) -> Float32[np.ndarray, "68 2"]:
        """iBUG points as (x, y) in pixels."""
        return np.array(self._landmarks[self._row(index)])

    def parts(self, index: int) -> UInt8[np.ndarray, "s s"]:
        """Values of `Part`."""
        return np.array(self._parts[self._row(index)])

    def _row(self, index: int) -> int:
        if not 0 <= index < len(self._landmarks):
            raise IndexError(f"face {index} of {len(self._landmarks)}")
        return index

    def __reduce__(self) -> tuple[type["StoredTruth"], tuple[Path]]:
        return StoredTruth, (self._folder,)


def is_stored(folder: Path) -> bool:
    """Whether the folder of cached faces holds their truth too."""
    return (folder / LANDMARKS_FILE).is_file() and (folder / PARTS_FILE).is_file()


def write_truth(folder: Path, shape: tuple[int, int], faces: Iterable[RenderedFace]) -> None:
    """Keep the truth of faces, of `shape` = (faces, side in pixels), in their folder; a file appears when it is whole.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    count, size = shape
    landmarks = np.empty((count, 68, 2), np.float32)
    try:
        with atomic_path(folder / PARTS_FILE) as parts, atomic_path(folder / LANDMARKS_FILE) as points:
            # Written as a stream, not through a memory map: a full disk is then an error instead of a killed process.
            with parts.open("wb") as handle:
                header = {"descr": "|u1", "fortran_order": False, "shape": (count, size, size)}
                np.lib.format.write_array_header_1_0(handle, header)
                for index, face in enumerate(faces):
                    handle.write(face.parts.tobytes())
                    landmarks[index] = face.landmarks68
            np.save(points, landmarks)
    except OSError as error:
        raise UserError(
            f"{folder}: the landmarks of the rendered faces cannot be written ({error.strerror or error}); free some "
            "space or make the folder writable"
        ) from None


def mirrored68(points: Float32[np.ndarray, "68 2"], side: int) -> Float32[np.ndarray, "68 2"]:
    """The landmarks of the mirrored face of `side` pixels: left and right change their places in the order too."""
    mirrored = points[MIRRORED68]
    mirrored[:, 0] = side - mirrored[:, 0]
    return mirrored
