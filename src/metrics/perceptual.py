"""Learned perceptual distances to the ground truth: LPIPS, and the shift-tolerant one that stands for it offline."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.metrics.definition import MetricDefinition
from src.metrics.face_batch import FaceBatch, Image
from src.metrics.kind import BuildContext, missing_weights
from src.metrics.metric import FaceMetric
from src.metrics.perceptual_network import load_lpips, load_st_lpips

DEPTHS = 5
"""Depths at which the networks compare features."""


@dataclass(frozen=True)
class DistanceMaps:
    """What one pass of a perceptual network over pairs of images gives."""

    whole: Float[Tensor, "b"]
    """The network's own distance: the sum over depths of the means of the maps."""
    depths: tuple[Float[Tensor, "b 1 _ _"], ...]
    """Distance at every position, a map a depth."""


class PerceptualNetwork:
    """A network that compares images at several depths by heads `lin0` to `lin4`: LPIPS and the shift-tolerant one."""

    def __init__(self, key: str, network: nn.Module) -> None:
        self.key = key
        self._network = network.eval()
        self._heads = [network.get_submodule(f"lin{depth}") for depth in range(DEPTHS)]

    def compare(self, faces: FaceBatch) -> DistanceMaps:
        """Distances of restored to true faces, from one pass a batch for all metrics of this network."""
        return faces.once(f"perceptual {self.key}", lambda: self.maps(faces.restored, faces.truth))

    @torch.inference_mode()
    def maps(self, first: Image, second: Image) -> DistanceMaps:
        """Distances of RGB images in [0, 1]."""
        depths: list[Tensor] = []
        # Listening to the heads leaves the sum to the network itself.
        listeners = [head.register_forward_hook(lambda *call: depths.append(call[-1])) for head in self._heads]
        try:
            whole = self._network(first * 2 - 1, second * 2 - 1).flatten()
        finally:
            for listener in listeners:
                listener.remove()
        return DistanceMaps(whole, tuple(depths))


@dataclass(frozen=True)
class KnownNetwork:
    """A perceptual network that metrics can name."""

    weights: str
    """Its entry in the catalogue of weights; heads that come with the package aside."""
    load: Callable[[str | None], nn.Module]
    """The network with its weights, from a folder that is searched first."""
    least_side: int
    """Smallest side that leaves something to compare at every depth, pixels."""
    formula: str
    source: str

    def missing(self, context: BuildContext) -> list[str]:
        """What it lacks."""
        return missing_weights([self.weights], context)

    def shared(self, context: BuildContext) -> PerceptualNetwork:
        """The network, one for all metrics of a suite."""
        key = self.weights
        return context.shared(
            f"perceptual {key}",
            lambda: PerceptualNetwork(key, self.load(context.weights_dir).to(context.device)),
        )

    def definition(self, context: BuildContext, **facts: Any) -> MetricDefinition:
        """Distance of whole faces, with other `facts` where a metric differs."""
        whole = MetricDefinition(
            id="",
            role="perceptual",
            direction="lower",
            range="[0, about 1], 0 for equal images",
            formula=self.formula,
            source=self.source,
            least_side=self.least_side,
            extractor_sha256=context.sha256(self.weights),
        )
        return replace(whole, **facts)


def _lpips(trunk: str, weights: str, least_side: int) -> KnownNetwork:
    return KnownNetwork(
        weights,
        lambda weights_dir: load_lpips(trunk, weights_dir),
        least_side,
        f"LPIPS v0.1, {trunk} trunk of torchvision, inputs in [-1, 1]",
        "Zhang et al. 2018; pip package lpips",
    )


TRUNKS = {"vgg": _lpips("vgg", "vgg16", 16), "alex": _lpips("alex", "alexnet", 31)}
"""LPIPS by the name of its trunk."""
PERCEPTUAL_NETWORKS = TRUNKS | {
    "st_lpips": KnownNetwork(
        "st_lpips_alex",
        load_st_lpips,
        21,
        "sum over 5 depths of mean lin((a - b)^2), unit-norm features of a shift-tolerant AlexNet",
        "Shift-tolerant LPIPS, ECCV 2022 (a stand-in for LPIPS)",
    )
}
"""Networks by the name that `network` options take."""


@dataclass(frozen=True)
class LpipsKind:
    """LPIPS v0.1 of the lpips package."""

    trunk: str
    """`vgg` (the papers that follow GFPGAN) or `alex`."""

    def __post_init__(self) -> None:
        if self.trunk not in TRUNKS:
            raise ValueError(f"trunk {self.trunk!r} is not one of {', '.join(TRUNKS)}")

    def missing(self, context: BuildContext) -> list[str]:
        """The trunk's weights; the package brings the linear heads."""
        return TRUNKS[self.trunk].missing(context)

    def build(self, name: str, context: BuildContext) -> FaceMetric:
        """The metric, its network shared with others of the same trunk."""
        known = TRUNKS[self.trunk]
        return PerceptualDistance(known.shared(context), known.definition(context, id=name))


@dataclass(frozen=True)
class StLpipsKind:
    """Shift-tolerant LPIPS with an AlexNet trunk: a stand-in, not comparable with LPIPS; no options."""

    def missing(self, context: BuildContext) -> list[str]:
        """The network's weights."""
        return PERCEPTUAL_NETWORKS["st_lpips"].missing(context)

    def build(self, name: str, context: BuildContext) -> FaceMetric:
        """The metric."""
        known = PERCEPTUAL_NETWORKS["st_lpips"]
        return PerceptualDistance(known.shared(context), known.definition(context, id=name))


class PerceptualDistance:
    """Perceptual distance of whole faces."""

    def __init__(self, network: PerceptualNetwork, definition: MetricDefinition) -> None:
        self._network = network
        self.definitions = (definition,)

    def measure(self, faces: FaceBatch) -> dict[str, Float[Tensor, "b"]]:
        """One distance a face."""
        return {self.definitions[0].id: self._network.compare(faces).whole}
