"""MTCNN (Zhang et al., IEEE Signal Processing Letters 2016): a cascade of three small networks, from a package."""

import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torchvision.ops import nms

from src.checkpoints.files import sha256_of
from src.photos.face import Face
from src.photos.same_size import Pictures, detected_together
from src.settings.errors import UserError
from src.settings.restore import DetectionSettings

PACKAGE = "facenet_pytorch"
INSTALL = "pip install --no-deps facenet-pytorch==2.6.0"
LEAST_FACE = 20
"""Side of the smallest face that the first network looks for, pixels; the package's choice, like the next three."""
EARLY_THRESHOLDS = (0.6, 0.7)
"""Least probabilities after the first two networks."""
PYRAMID = 0.709
"""Ratio of neighbouring sizes at which the first network sees a picture."""


class MtcnnDetector:
    """Finds faces with the package facenet_pytorch and the weights in it.

    Raises:
        UserError: the package is not installed.
    """

    def __init__(self, settings: DetectionSettings, device: torch.device) -> None:
        folder = _package_folder()
        # The package changes the process's warning filters on import, and draws random weights before it loads its own.
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            from facenet_pytorch.models.mtcnn import MTCNN
            from facenet_pytorch.models.utils.detect_face import detect_face

            self._networks = MTCNN(device=device).eval().requires_grad_(False)
        self._detect_face = detect_face
        self._weights = {
            f"mtcnn_{part}": sha256_of(folder / "data" / f"{part}.pt") for part in ("pnet", "rnet", "onet")
        }
        self._settings = settings
        self._device = device

    @property
    def name(self) -> str:
        """`mtcnn`."""
        return "mtcnn"

    @property
    def weights(self) -> dict[str, str]:
        """SHA-256 of the three networks' files."""
        return self._weights

    def detect(self, pictures: Pictures) -> list[list[Face]]:
        """Faces of every picture, best first; none in pictures narrower than the smallest face."""
        return detected_together(pictures, self._detect, self._device)

    @torch.inference_mode()
    def _detect(self, stack: UInt8[np.ndarray, "b h w 3"]) -> list[list[Face]]:
        if min(stack.shape[1:3]) < LEAST_FACE:
            return [[] for _ in stack]
        networks = (self._networks.pnet, self._networks.rnet, self._networks.onet)
        thresholds = [*EARLY_THRESHOLDS, self._settings.confidence]
        boxes, points = self._detect_face(stack, LEAST_FACE, *networks, thresholds, PYRAMID, self._device)
        return [
            self._best(np.array(rows, np.float32).reshape(-1, 5), np.array(five, np.float32).reshape(-1, 5, 2))
            for rows, five in zip(boxes, points, strict=True)
        ]

    def _best(self, rows: Float[np.ndarray, "n 5"], landmarks: Float[np.ndarray, "n 5 2"]) -> list[Face]:
        """Faces of one picture from rows of box and probability."""
        order = np.argsort(-rows[:, 4], kind="stable")
        rows, landmarks = rows[order], landmarks[order]
        kept = nms(torch.from_numpy(rows[:, :4]), torch.from_numpy(rows[:, 4]), self._settings.overlap)
        return [Face(rows[index, :4], landmarks[index], float(rows[index, 4])) for index in kept.tolist()]


def _package_folder() -> Path:
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"detector: mtcnn needs the package facenet-pytorch, which is not installed: {INSTALL}")
    return Path(spec.submodule_search_locations[0])
