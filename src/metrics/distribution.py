"""Distances between the feature distributions of restored faces and of their ground truth (conventions.md 6.2, 6.3)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from src.metrics.definition import MetricDefinition
from src.metrics.face_batch import Extractor
from src.metrics.feature_networks import FEATURE_NETWORKS, FeatureNetwork
from src.metrics.kind import BuildContext
from src.metrics.metric import SetMetric
from src.metrics.set_distances import frechet_distance, paired_kernel_distance

Features = Float[np.ndarray, "n d"]
Truth = Float[np.ndarray, "m d"]

FRECHET = {
    "role": "distribution",
    "range": "[0, inf), 0 for equal moments; biased upwards on small sets: compare at equal n only",
    "formula": "|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))",
}
KERNEL: dict[str, Any] = {
    "role": "distribution_unbiased",
    "range": "around 0 for equal distributions, may be negative",
    "formula": "unbiased MMD^2 over all pairs, kernel (x.y / d + 1)^3",
}


PAIRED_KERNEL = KERNEL | {
    "formula": "unbiased MMD^2 without the pairs of a face with its own original, kernel (x.y / d + 1)^3",
    "version": 2,
}


class DistanceToTruth:
    """A distance between the features of the restored faces and of the benchmark's own ground truth."""

    def __init__(
        self, extractor: Extractor, definition: MetricDefinition, distance: Callable[[Features, Truth], float]
    ) -> None:
        self.extractor = extractor
        self.definitions = (definition,)
        self._distance = distance

    def distances(self, restored: Features, truth: Truth | None) -> dict[str, float]:
        """The distance; ValueError below two faces."""
        assert truth is not None
        return {self.definitions[0].id: self._distance(restored, truth)}


@dataclass(frozen=True)
class SetKind:
    """What distances between sets of faces have in common."""

    extractor: str
    """A name of `FEATURE_NETWORKS`."""

    def __post_init__(self) -> None:
        if self.extractor not in FEATURE_NETWORKS:
            raise ValueError(f"extractor {self.extractor!r} is not one of {', '.join(FEATURE_NETWORKS)}")

    @property
    def network(self) -> FeatureNetwork:
        """Facts of the extractor."""
        return FEATURE_NETWORKS[self.extractor]

    def missing(self, context: BuildContext) -> list[str]:
        """What the extractor lacks."""
        return self.network.missing(context)

    def load_extractor(self, context: BuildContext) -> Extractor:
        """The extractor, one for all metrics that name it."""
        return context.shared(f"features {self.extractor}", lambda: self.network.load(context))

    def definition(self, context: BuildContext, **facts: Any) -> MetricDefinition:
        """A definition with the facts of the extractor."""
        sha256 = context.sha256(self.network.weights)
        return MetricDefinition(direction="lower", source=self.network.source, extractor_sha256=sha256, **facts)


@dataclass(frozen=True)
class FrechetKind(SetKind):
    """Frechet distance to the benchmark's own ground truth: FID if the extractor is Inception (arXiv 1706.08500)."""

    def build(self, name: str, context: BuildContext) -> SetMetric:
        """The metric."""
        definition = self.definition(context, id=name, reference="ground truth of the benchmark", **FRECHET)
        return DistanceToTruth(self.load_extractor(context), definition, frechet_distance)


@dataclass(frozen=True)
class KernelKind(SetKind):
    """Kernel distance to the benchmark's own ground truth: KID if the extractor is Inception (arXiv 1801.01401)."""

    def build(self, name: str, context: BuildContext) -> SetMetric:
        """The metric."""
        definition = self.definition(context, id=name, reference="ground truth of the benchmark", **PAIRED_KERNEL)
        return DistanceToTruth(self.load_extractor(context), definition, paired_kernel_distance)
