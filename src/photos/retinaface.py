"""RetinaFace (Deng et al., CVPR 2020): boxes and five landmarks in one pass, on facexlib's network."""

import warnings
from functools import lru_cache
from math import ceil
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torchvision.ops import nms

from src.checkpoints.files import sha256_of
from src.checkpoints.tensor_file import fill
from src.photos.face import Face
from src.photos.same_size import Pictures, detected_together
from src.settings.restore import DetectionSettings

BACKBONES = {"retinaface_resnet50": "resnet50", "retinaface_mobilenet": "mobile0.25"}
"""facexlib's name of every detector's network."""
MEAN = (123.0, 117.0, 104.0)
"""RGB levels subtracted from a picture."""
STEPS = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))
"""Distance between the anchors of a feature map, and their sides; pixels."""
CENTRE_VARIANCE, SIDE_VARIANCE = 0.1, 0.2
"""Units of the network's offsets."""


class RetinaFaceDetector:
    """Finds faces as facexlib's `detect_faces` does; the network sees RGB pictures as BGR less the mean colour."""

    def __init__(
        self, network: nn.Module, name: str, sha256: str, settings: DetectionSettings, device: torch.device
    ) -> None:
        self._network = network.eval().to(device)
        self._name = name
        self._sha256 = sha256
        self._settings = settings
        self._device = device

    @property
    def name(self) -> str:
        """`retinaface_resnet50` or `retinaface_mobilenet`."""
        return self._name

    @property
    def weights(self) -> dict[str, str]:
        """SHA-256 of the weights file."""
        return {self._name: self._sha256}

    def detect(self, pictures: Pictures) -> list[list[Face]]:
        """Faces of every picture, best first."""
        return detected_together(pictures, self._detect, self._device)

    @torch.inference_mode()
    def _detect(self, stack: UInt8[np.ndarray, "b h w 3"]) -> list[list[Face]]:
        pixels = torch.from_numpy(stack).to(self._device).permute(0, 3, 1, 2).float()
        colours = (pixels - torch.tensor(MEAN, device=self._device).view(3, 1, 1)).flip(1).contiguous()
        offsets, classes, points = self._network(colours)
        scores = classes[:, :, 1]
        picture, place = (scores > self._settings.confidence).nonzero(as_tuple=True)
        near = anchors(*stack.shape[1:3]).to(self._device)[place]
        boxes, landmarks = decoded(near, offsets[picture, place], points[picture, place])
        extent = torch.tensor(stack.shape[2:0:-1], device=self._device)
        parts = [
            picture[:, None],
            scores[picture, place, None],
            (boxes * extent).flatten(1),
            (landmarks * extent).flatten(1),
        ]
        found = torch.cat(parts, dim=1).cpu()
        return [self._best(found[found[:, 0] == index, 1:]) for index in range(len(stack))]

    def _best(self, rows: Float[Tensor, "n 15"]) -> list[Face]:
        """Faces of one picture from rows of score, box and landmarks."""
        rows = rows[rows[:, 0].argsort(descending=True, stable=True)]
        kept = rows[nms(rows[:, 1:5], rows[:, 0], self._settings.overlap)].numpy()
        return [Face(row[1:5], row[5:].reshape(5, 2), float(row[0])) for row in kept]


def build_retinaface(name: str, path: Path, settings: DetectionSettings, device: torch.device) -> RetinaFaceDetector:
    """The detector of that name with the weights of a file.

    Raises:
        UserError: the file cannot be read, or holds another network.
    """
    # Imports the whole of facexlib, which takes seconds.
    from facexlib.detection.retinaface import RetinaFace

    with torch.device("meta"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="torchvision")
        network = RetinaFace(BACKBONES[name], device=torch.device("meta"))
    return RetinaFaceDetector(fill(network, path), name, sha256_of(path), settings, device)


@lru_cache(maxsize=16)
def anchors(height: int, width: int) -> Float[Tensor, "a 4"]:
    """Centre (x, y) and sides (x, y) of the boxes that the network corrects, as parts of the picture's sides."""
    maps = []
    for step, sides in STEPS:
        rows, columns = ceil(height / step), ceil(width / step)
        y, x = np.mgrid[:rows, :columns].reshape(2, -1) + 0.5
        centres = (np.stack([x, y], axis=1) * step / (width, height)).repeat(len(sides), axis=0)
        extents = np.tile(np.array(sides)[:, None] / (width, height), (rows * columns, 1))
        maps.append(np.hstack([centres, extents]))
    return torch.from_numpy(np.vstack(maps).astype(np.float32))


def decoded(
    near: Float[Tensor, "n 4"], offsets: Float[Tensor, "n 4"], points: Float[Tensor, "n 10"]
) -> tuple[Float[Tensor, "n 2 2"], Float[Tensor, "n 5 2"]]:
    """Corners (left top, right bottom) and landmarks from the network's offsets to the anchors `near`."""
    centre, side = near[:, :2], near[:, 2:]
    sides = side * torch.exp(offsets[:, 2:] * SIDE_VARIANCE)
    left_top = centre + offsets[:, :2] * CENTRE_VARIANCE * side - sides / 2
    landmarks = centre[:, None] + points.view(-1, 5, 2) * CENTRE_VARIANCE * side[:, None]
    return torch.stack([left_top, left_top + sides], dim=1), landmarks
