"""Multi-scale structural similarity (Wang, Simoncelli and Bovik 2003)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from src.metrics.definition import MetricDefinition
from src.metrics.face_batch import FaceBatch, Image
from src.metrics.fidelity import SSIM_WINDOW, similarity_maps
from src.metrics.kind import BuildContext
from src.metrics.metric import FaceMetric

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents from the finest to the coarsest scale, table I of the paper."""
LEAST_SIDE = SSIM_WINDOW * 2 ** (len(SCALE_WEIGHTS) - 1)
"""The window must fit into the coarsest scale, pixels."""


@dataclass(frozen=True)
class MsSsimKind:
    """Multi-scale structural similarity; no options."""

    def missing(self, context: BuildContext) -> list[str]:
        """Nothing."""
        return []

    def build(self, name: str, context: BuildContext) -> FaceMetric:
        """The metric."""
        return MsSsim(name)


class MsSsim:
    """Multi-scale structural similarity."""

    def __init__(self, name: str = "ms_ssim") -> None:
        definition = MetricDefinition(
            id=name,
            role="ms_ssim",
            direction="higher",
            range="[0, 1], 1 for equal images",
            formula="product over 5 scales of max(0, mean of contrast-structure)^weight, weights 0.0448, 0.2856, 0.3001, "
            "0.2363, 0.1333, with the luminance at the coarsest; halved by 2 x 2 means; window and constants of ssim; per "
            "RGB channel, then mean",
            source="Wang, Simoncelli and Bovik, Asilomar 2003",
            least_side=LEAST_SIDE,
        )
        self.definitions = (definition,)

    def measure(self, faces: FaceBatch) -> dict[str, Float[Tensor, "b"]]:
        """One value a face."""
        return {self.definitions[0].id: ms_ssim(faces.restored, faces.truth)}


def ms_ssim(restored: Image, truth: Image) -> Float[Tensor, "b"]:
    """Multi-scale structural similarity of images of at least 176 pixels a side.

    At the coarsest scale the mean is over luminance times contrast-structure, as in the authors' code.
    """
    x, y = restored.double(), truth.double()
    product = torch.ones_like(x[:, :, 0, 0])
    for scale, weight in enumerate(SCALE_WEIGHTS, start=1):
        luminance, structure = similarity_maps(x, y)
        coarsest = scale == len(SCALE_WEIGHTS)
        similarity = (luminance * structure if coarsest else structure).mean((2, 3))
        # A negative mean has no fractional power: opposite structures count as none.
        product = product * similarity.clamp_min(0) ** weight
        if not coarsest:
            x, y = avg_pool2d(x, 2), avg_pool2d(y, 2)
    return product.mean(1).float()
