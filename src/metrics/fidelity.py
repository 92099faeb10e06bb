"""Distances to the ground truth that need no network: PSNR and SSIM."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d

from src.metrics.definition import MetricDefinition
from src.metrics.face_batch import FaceBatch, Image
from src.metrics.kind import BuildContext
from src.metrics.metric import FaceMetric

PerImage = Float[Tensor, "b"]
ValidImage = Float[Tensor, "b 3 h_valid w_valid"]

SSIM_WINDOW, SSIM_SIGMA = 11, 1.5
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2


@dataclass(frozen=True)
class PsnrKind:
    """Peak signal-to-noise ratio; no options."""

    def missing(self, context: BuildContext) -> list[str]:
        """Nothing."""
        return []

    def build(self, name: str, context: BuildContext) -> FaceMetric:
        """The metric."""
        return Psnr(name)


class Psnr:
    """Peak signal-to-noise ratio."""

    def __init__(self, name: str = "psnr") -> None:
        definition = MetricDefinition(
            id=name,
            role="psnr",
            direction="higher",
            range="dB, 100 for equal images",
            formula="-10 log10(mean((restored - truth)^2)), RGB in [0, 1], no crop",
            source="conventions.md 6.1",
        )
        self.definitions = (definition,)

    def measure(self, faces: FaceBatch) -> dict[str, PerImage]:
        """One value a face, dB."""
        return {self.definitions[0].id: psnr(faces.restored, faces.truth)}


def psnr(restored: Image, truth: Image) -> PerImage:
    """-10 log10 of the mean squared error, dB; 100 for equal images."""
    error = (restored.double() - truth.double()).pow(2).mean((1, 2, 3)).clamp_min(1e-10)
    return (-10 * torch.log10(error)).float()


@dataclass(frozen=True)
class SsimKind:
    """Structural similarity; no options."""

    def missing(self, context: BuildContext) -> list[str]:
        """Nothing."""
        return []

    def build(self, name: str, context: BuildContext) -> FaceMetric:
        """The metric."""
        return Ssim(name)


class Ssim:
    """Structural similarity (Wang et al. 2004)."""

    def __init__(self, name: str = "ssim") -> None:
        definition = MetricDefinition(
            id=name,
            role="ssim",
            direction="higher",
            range="[-1, 1], 1 for equal images",
            formula="11 x 11 Gaussian of sigma 1.5, K1 0.01, K2 0.03, range 1, valid region, per RGB channel, then mean",
            source="codeformer.md 5",
            least_side=SSIM_WINDOW,
        )
        self.definitions = (definition,)

    def measure(self, faces: FaceBatch) -> dict[str, PerImage]:
        """One value a face."""
        return {self.definitions[0].id: ssim(faces.restored, faces.truth)}


def ssim(restored: Image, truth: Image) -> PerImage:
    """Structural similarity of images of at least 11 pixels a side."""
    luminance, structure = similarity_maps(restored.double(), truth.double())
    return (luminance * structure).mean((1, 2, 3)).float()


def similarity_maps(x: Image, y: Image) -> tuple[ValidImage, ValidImage]:
    """The two factors of SSIM at every place of the valid region: luminance, and contrast times structure."""
    mean_x, mean_y = _smooth(x), _smooth(y)
    variance_x = _smooth(x * x) - mean_x**2
    variance_y = _smooth(y * y) - mean_y**2
    covariance = _smooth(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + SSIM_C1) / (mean_x**2 + mean_y**2 + SSIM_C1)
    structure = (2 * covariance + SSIM_C2) / (variance_x + variance_y + SSIM_C2)
    return luminance, structure


def _smooth(image: Image) -> ValidImage:
    offsets = torch.arange(SSIM_WINDOW, dtype=image.dtype, device=image.device) - SSIM_WINDOW // 2
    taps = torch.exp(-(offsets**2) / (2 * SSIM_SIGMA**2))
    taps = (taps / taps.sum()).expand(3, 1, 1, -1)
    return conv2d(conv2d(image, taps, groups=3), taps.transpose(2, 3), groups=3)
