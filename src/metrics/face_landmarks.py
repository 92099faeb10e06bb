"""Landmarks of faces on the way, for registration: by this suite's detector, or by MTCNN for photographs."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.metrics.kind import BuildContext
from src.metrics.landmark_networks import LANDMARK_NETWORKS, UNIT_SIDE
from src.networks.landmark_detector import LandmarkDetector
from src.settings.errors import UserError

LandmarkFinder = Callable[[Tensor], Tensor]
"""Faces "b 3 h w" in [-1, 1] to points "b k 2", array indices; NaN in a face that was not found."""


class DetectedLandmarks(nn.Module):
    """The 68 points of a frozen detector."""

    def __init__(self, network: LandmarkDetector) -> None:
        super().__init__()
        self.network = network.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "DetectedLandmarks":
        """Stay in eval mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, faces: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k 2"]:
        """Points, array indices."""
        return self.network(faces) - 0.5


def has_mtcnn() -> bool:
    """Whether MTCNN is installed."""
    return not LANDMARK_NETWORKS["mtcnn5"].missing(BuildContext(None, torch.device("cpu")))


class MtcnnLandmarks:
    """The five points of MTCNN.

    Raises:
        UserError: its package is not installed.
    """

    def __init__(self, device: torch.device) -> None:
        known, context = LANDMARK_NETWORKS["mtcnn5"], BuildContext(None, device)
        if missing := known.missing(context):
            raise UserError(f"landmarks of photographs are MTCNN's, and {missing[0]}")
        self._find = known.load(context)

    def __call__(self, faces: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 5 2"]:
        """Points, array indices; NaN where no face was found."""
        # On whole levels, as every metric sees faces.
        levels = ((faces.float().clamp(-1, 1) + 1) * 127.5).round() / 255
        points = self._find(levels, None).unflatten(1, (-1, 2))
        return points.to(faces) * (faces.shape[-1] / UNIT_SIDE) - 0.5
