"""Small network that regresses a few numbers from an image (localisation network of arXiv 1506.02025)."""

from itertools import pairwise

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from src.settings.scale import AffineRegistrationSize

SLOPE = 0.2
"""Of every LeakyReLU."""
CELLS = 4
"""Cells a side that the last feature map is averaged to: any side of image fits, and where a feature lies is kept."""


class ParameterRegressor(nn.Module):
    """Convolutions with stride 2, then one linear layer that starts at zero: so do the numbers."""

    def __init__(self, size: AffineRegistrationSize, in_channels: int, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise([in_channels, *size.widths]):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        self.stride = 2 ** len(size.widths)
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(CELLS**2 * [in_channels, *size.widths][-1], outputs)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n"]:
        """The numbers; 0 in a fresh network. ValueError unless the sides are multiples of `stride`."""
        height, width = image.shape[-2:]
        if height % self.stride or width % self.stride:
            raise ValueError(f"expected sides that are multiples of {self.stride}, got an image of {height} x {width}")
        return self.head(F.adaptive_avg_pool2d(self.body(image), CELLS).flatten(1))
