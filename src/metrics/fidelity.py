"""Distances to the ground truth that need no network: PSNR and SSIM."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d

from src.metrics.definition import MetricDefinition

Image = Float[Tensor, "b 3 h w"]
PerImage = Float[Tensor, "b"]

SSIM_WINDOW, SSIM_SIGMA = 11, 1.5
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2


class Psnr:
    """Peak signal-to-noise ratio."""

    definition = MetricDefinition(
        id="psnr",
        role="psnr",
        direction="higher",
        range="dB, 100 for equal images",
        formula="-10 log10(mean((restored - reference)^2)), RGB in [0, 1], no crop",
        source="conventions.md 6.1",
    )

    def __call__(self, restored: Image, reference: Image) -> PerImage:
        """One value an image, dB."""
        error = (restored.double() - reference.double()).pow(2).mean((1, 2, 3)).clamp_min(1e-10)
        return (-10 * torch.log10(error)).float()


class Ssim:
    """Structural similarity (Wang et al. 2004)."""

    definition = MetricDefinition(
        id="ssim",
        role="ssim",
        direction="higher",
        range="[-1, 1], 1 for equal images",
        formula="11 x 11 Gaussian of sigma 1.5, K1 0.01, K2 0.03, range 1, valid region, per RGB channel, then mean",
        source="codeformer.md 5",
    )

    def __call__(self, restored: Image, reference: Image) -> PerImage:
        """One value an image; the images must be at least 11 pixels a side."""
        x, y = restored.double(), reference.double()
        mean_x, mean_y = _smooth(x), _smooth(y)
        variance_x = _smooth(x * x) - mean_x**2
        variance_y = _smooth(y * y) - mean_y**2
        covariance = _smooth(x * y) - mean_x * mean_y
        luminance = (2 * mean_x * mean_y + SSIM_C1) / (mean_x**2 + mean_y**2 + SSIM_C1)
        structure = (2 * covariance + SSIM_C2) / (variance_x + variance_y + SSIM_C2)
        return (luminance * structure).mean((1, 2, 3)).float()


def _smooth(image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h_valid w_valid"]:
    offsets = torch.arange(SSIM_WINDOW, dtype=image.dtype, device=image.device) - SSIM_WINDOW // 2
    taps = torch.exp(-(offsets**2) / (2 * SSIM_SIGMA**2))
    taps = (taps / taps.sum()).expand(3, 1, 1, -1)
    return conv2d(conv2d(image, taps, groups=3), taps.transpose(2, 3), groups=3)
