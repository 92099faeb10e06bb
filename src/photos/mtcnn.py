"""MTCNN as a detector of faces in photos."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torchvision.ops import nms

from src.checkpoints.files import sha256_of
from src.networks.mtcnn import INSTALL, PACKAGE, PARTS, MtcnnCascade
from src.photos.face import Face
from src.photos.same_size import Pictures, detected_together
from src.settings.errors import UserError
from src.settings.restore import DetectionSettings


class MtcnnDetector:
    """Finds faces with the package facenet_pytorch and the weights in it.

    Raises:
        UserError: the package is not installed.
    """

    def __init__(self, settings: DetectionSettings, device: torch.device) -> None:
        folder = _package_folder()
        self._cascade = MtcnnCascade(device)
        self._weights = {f"mtcnn_{part}": sha256_of(folder / "data" / f"{part}.pt") for part in PARTS}
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

    def _detect(self, stack: UInt8[np.ndarray, "b h w 3"]) -> list[list[Face]]:
        return [self._apart(rows, five) for rows, five in self._cascade(stack, float(self._settings.confidence))]

    def _apart(self, rows: Float[np.ndarray, "n 5"], landmarks: Float[np.ndarray, "n 5 2"]) -> list[Face]:
        """Faces of one picture, without those that overlap a better one."""
        kept = nms(torch.from_numpy(rows[:, :4]), torch.from_numpy(rows[:, 4]), self._settings.overlap)
        return [Face(rows[index, :4], landmarks[index], float(rows[index, 4])) for index in kept.tolist()]


def _package_folder() -> Path:
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"detector: mtcnn needs the package facenet-pytorch, which is not installed: {INSTALL}")
    return Path(spec.submodule_search_locations[0])
