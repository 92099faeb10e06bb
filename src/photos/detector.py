"""Finds faces in photos of any size."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8

from src.checkpoints.download import fetch_weights
from src.photos.face import Face, FaceDetector
from src.photos.mtcnn import MtcnnDetector
from src.photos.retinaface import build_retinaface
from src.photos.same_size import Pictures
from src.settings.restore import DetectionSettings


def build_detector(
    name: str,
    settings: DetectionSettings,
    weights_dir: str | None,
    device: torch.device,
    weights: Path | None = None,
) -> FaceDetector:
    """The detector of that name (`DETECTORS`); RetinaFace takes the file `weights`, or else the catalogue's, fetched.

    Raises:
        UserError: the weights can neither be found nor fetched, or the package of MTCNN is not installed.
    """
    if name == "mtcnn":
        return MtcnnDetector(settings, device)
    return build_retinaface(name, weights or fetch_weights(name, weights_dir), settings, device)


class PhotoDetector:
    """A detector that sees copies of photos at the size of the settings (codeformer.md 4)."""

    def __init__(self, detector: FaceDetector, settings: DetectionSettings) -> None:
        self._detector = detector
        self._settings = settings

    def find(self, photos: Pictures) -> list[list[Face]]:
        """Faces of every photo in the photo's own pixels, best first; those with too close eyes are left out."""
        copies = [self._copy(photo) for photo in photos]
        found = self._detector.detect(copies)
        return [
            self._usable(faces, np.divide(photo.shape[1::-1], copy.shape[1::-1]))
            for photo, copy, faces in zip(photos, copies, found, strict=True)
        ]

    def _copy(self, photo: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "height width 3"]:
        height, width = photo.shape[:2]
        factor = min(self._settings.short_side / min(height, width), self._settings.long_side / max(height, width))
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        if size == (width, height):
            return photo
        interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        copy: np.ndarray = cv2.resize(photo, size, interpolation=interpolation)
        return copy

    def _usable(self, faces: Sequence[Face], factors: Float[np.ndarray, "2"]) -> list[Face]:
        """Faces of a photo from those of its copy, which `factors` (x, y) enlarge to the photo."""
        moved = [
            Face(_enlarged(face.box.reshape(2, 2), factors).ravel(), _enlarged(face.landmarks, factors), face.score)
            for face in faces
        ]
        usable = [
            face
            for face in moved
            if np.isfinite(face.landmarks).all() and face.eye_distance >= self._settings.least_eye_distance
        ]
        return sorted(usable, key=lambda face: -face.score)


def nearest_to_center(faces: Sequence[Face], width: int, height: int) -> Face | None:
    """The face whose box has its middle nearest to the middle of a photo of this size; None if there is no face."""
    middle = np.array([width - 1, height - 1]) / 2
    return min(faces, key=lambda face: np.hypot(*(face.box.reshape(2, 2).mean(axis=0) - middle)), default=None)


def _enlarged(points: Float[np.ndarray, "n 2"], factors: Float[np.ndarray, "2"]) -> Float[np.ndarray, "n 2"]:
    """Places (x, y) after a resize, whose pixels' centres move as in cv2.resize."""
    return (points.astype(np.float64) + 0.5) * factors - 0.5
