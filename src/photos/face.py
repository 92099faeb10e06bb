"""A face in a photo, and what finds one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

Picture = UInt8[np.ndarray, "_ _ 3"]


@dataclass(frozen=True, eq=False)
class Face:
    """One detection; lengths are pixels, (x, y), and the centre of the first pixel is (0, 0)."""

    box: Float[np.ndarray, "4"]
    """Left, top, right, bottom; may reach beyond the photo."""
    landmarks: Float[np.ndarray, "5 2"]
    """Left eye, right eye, nose, left and right mouth corner, as they lie in the picture."""
    score: float
    """In [0, 1]."""

    @property
    def eye_distance(self) -> float:
        """Distance between the eyes."""
        return float(np.hypot(*(self.landmarks[1] - self.landmarks[0])))


@runtime_checkable
class FaceDetector(Protocol):
    """Finds faces in pictures at the size in which they are given."""

    @property
    def name(self) -> str:
        """Name of the detector, as in `detector=`."""

    @property
    def weights(self) -> dict[str, str]:
        """SHA-256 by name of every weights file."""

    def detect(self, pictures: Sequence[Picture]) -> list[list[Face]]:
        """Faces of every RGB picture, best first. Pictures of one size are looked at together."""
