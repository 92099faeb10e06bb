"""Distances between the feature distributions of two sets of faces."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from src.metrics.definition import MetricDefinition
from src.metrics.face_batch import Extractor
from src.metrics.feature_networks import FEATURE_NETWORKS
from src.metrics.kind import BuildContext
from src.metrics.metric import SetMetric
from src.metrics.set_distances import frechet_distance, kernel_distance

Features = Float[np.ndarray, "n d"]


class DistanceToTruth:
    """A distance between the features of the restored faces and of the benchmark's own ground truth."""

    def __init__(
        self, extractor: Extractor, definition: MetricDefinition, distance: Callable[[Features, Features], float]
    ) -> None:
        self.extractor = extractor
        self.definitions = (definition,)
        self._distance = distance

    def distances(self, restored: Float[np.ndarray, "n d"], truth: Float[np.ndarray, "n d"] | None) -> dict[str, float]:
        """The distance; ValueError below two faces."""
        assert truth is not None
        return {self.definitions[0].id: self._distance(restored, truth)}


@dataclass(frozen=True)
class _SetKind:
    """What distances between sets have in common."""

    extractor: str
    """A name of `FEATURE_NETWORKS`."""

    def __post_init__(self) -> None:
        if self.extractor not in FEATURE_NETWORKS:
            raise ValueError(f"extractor {self.extractor!r} is not one of {', '.join(FEATURE_NETWORKS)}")

    def missing(self, context: BuildContext) -> list[str]:
        """What the extractor lacks."""
        return FEATURE_NETWORKS[self.extractor].missing(context)

    def _extractor(self, context: BuildContext) -> Extractor:
        return context.shared(f"features {self.extractor}", lambda: FEATURE_NETWORKS[self.extractor].load(context))

    def _definition(self, context: BuildContext, **facts: Any) -> MetricDefinition:
        known = FEATURE_NETWORKS[self.extractor]
        return MetricDefinition(
            direction="lower",
            source=known.source,
            extractor_sha256=context.sha256(known.weights),
            reference="ground truth of the benchmark",
            **facts,
        )


@dataclass(frozen=True)
class FrechetKind(_SetKind):
    """Frechet distance between the restored faces and the benchmark's own ground truth."""

    def build(self, name: str, context: BuildContext) -> SetMetric:
        """The metric."""
        definition = self._definition(
            context,
            id=name,
            role="distribution",
            range="[0, inf), 0 for equal moments; biased upwards on small sets: compare at equal n only",
            formula="|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))",
        )
        return DistanceToTruth(self._extractor(context), definition, frechet_distance)


@dataclass(frozen=True)
class KernelKind(_SetKind):
    """Unbiased kernel distance between the restored faces and the benchmark's own ground truth."""

    def build(self, name: str, context: BuildContext) -> SetMetric:
        """The metric."""
        definition = self._definition(
            context,
            id=name,
            role="distribution_unbiased",
            range="around 0 for equal distributions, may be negative",
            formula="unbiased MMD^2, kernel (x.y / d + 1)^3",
        )
        return DistanceToTruth(self._extractor(context), definition, kernel_distance)
