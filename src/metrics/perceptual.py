"""Learned perceptual distances to the ground truth: LPIPS, and the shift-tolerant one that stands for it offline."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.metrics.definition import MetricDefinition
from src.metrics.face_batch import FaceBatch
from src.metrics.kind import BuildContext, missing_weights
from src.metrics.metric import FaceMetric
from src.metrics.perceptual_network import load_lpips, load_st_lpips

TRUNK_WEIGHTS = {"vgg": "vgg16", "alex": "alexnet"}
"""Trunk of LPIPS to its entry in the catalogue of weights."""


class PerceptualDistance:
    """A network that compares images in [-1, 1], as a metric of single faces."""

    def __init__(self, network: nn.Module, definition: MetricDefinition) -> None:
        self._network = network.eval()
        self.definitions = (definition,)

    @torch.inference_mode()
    def measure(self, faces: FaceBatch) -> dict[str, Float[Tensor, "b"]]:
        """One distance a face."""
        return {self.definitions[0].id: self._network(faces.restored * 2 - 1, faces.truth * 2 - 1).flatten()}


@dataclass(frozen=True)
class LpipsKind:
    """LPIPS v0.1 of the lpips package."""

    trunk: str
    """`vgg` (the papers that follow GFPGAN) or `alex`."""

    def __post_init__(self) -> None:
        if self.trunk not in TRUNK_WEIGHTS:
            raise ValueError(f"trunk {self.trunk!r} is not one of {', '.join(TRUNK_WEIGHTS)}")

    def missing(self, context: BuildContext) -> list[str]:
        """The trunk's weights; the package brings the linear heads."""
        return missing_weights([TRUNK_WEIGHTS[self.trunk]], context)

    def build(self, name: str, context: BuildContext) -> FaceMetric:
        """The metric, its network shared with others of the same trunk."""
        definition = lpips_definition(self.trunk, context.sha256(TRUNK_WEIGHTS[self.trunk]))
        network = context.shared(
            f"lpips {self.trunk}", lambda: load_lpips(self.trunk, context.weights_dir).to(context.device)
        )
        return PerceptualDistance(network, replace(definition, id=name))


@dataclass(frozen=True)
class StLpipsKind:
    """Shift-tolerant LPIPS with an AlexNet trunk: a stand-in, not comparable with LPIPS; no options."""

    def missing(self, context: BuildContext) -> list[str]:
        """The network's weights."""
        return missing_weights(["st_lpips_alex"], context)

    def build(self, name: str, context: BuildContext) -> FaceMetric:
        """The metric."""
        network = context.shared("st_lpips", lambda: load_st_lpips(context.weights_dir).to(context.device))
        return PerceptualDistance(network, replace(st_lpips_definition(context.sha256("st_lpips_alex")), id=name))


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
