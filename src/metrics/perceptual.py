"""Learned perceptual distances to the ground truth."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.metrics.definition import MetricDefinition

Image = Float[Tensor, "b 3 h w"]


class PerceptualDistance:
    """A network that compares images in [-1, 1], as a per-image metric."""

    def __init__(self, network: nn.Module, definition: MetricDefinition) -> None:
        self._network = network.eval()
        self.definition = definition

    @torch.inference_mode()
    def __call__(self, restored: Image, reference: Image) -> Float[Tensor, "b"]:
        """One distance an image; inputs in [0, 1]."""
        return self._network(restored * 2 - 1, reference * 2 - 1).flatten()


def st_lpips_definition(sha256: str) -> MetricDefinition:
    """Shift-tolerant LPIPS: a stand-in, not comparable with LPIPS."""
    return MetricDefinition(
        id="st_lpips",
        role="perceptual",
        direction="lower",
        range="[0, about 1], 0 for equal images",
        formula="sum over 5 depths of mean lin((a - b)^2), unit-norm features of a shift-tolerant AlexNet",
        source="Shift-tolerant LPIPS, ECCV 2022 (a stand-in for LPIPS)",
        extractor_sha256=sha256,
    )


def lpips_definition(trunk: str, sha256: str) -> MetricDefinition:
    """LPIPS v0.1 with the named trunk."""
    return MetricDefinition(
        id=f"lpips/{trunk}",
        role="perceptual",
        direction="lower",
        range="[0, about 1], 0 for equal images",
        formula=f"LPIPS v0.1, {trunk} trunk of torchvision, inputs in [-1, 1]",
        source="Zhang et al. 2018; pip package lpips",
        extractor_sha256=sha256,
    )
