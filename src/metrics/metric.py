"""The three forms of a metric: a value a face, a value a set of faces, and a value derived from others."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from torch import Tensor

from src.metrics.definition import MetricDefinition
from src.metrics.face_batch import Extractor, FaceBatch


@runtime_checkable
class FaceMetric(Protocol):
    """A value a face."""

    @property
    def definitions(self) -> tuple[MetricDefinition, ...]:
        """What its numbers mean."""

    def measure(self, faces: FaceBatch) -> dict[str, Float[Tensor, "b"]]:
        """Values by metric id; one that is not finite counts as a failure."""


@runtime_checkable
class SetMetric(Protocol):
    """A value a set of faces, from the features of one extractor."""

    @property
    def definitions(self) -> tuple[MetricDefinition, ...]:
        """What its numbers mean."""

    @property
    def extractor(self) -> Extractor:
        """The network whose features are compared."""

    def distances(self, restored: Float[np.ndarray, "n d"], truth: Float[np.ndarray, "n d"] | None) -> dict[str, float]:
        """Values by metric id; `truth` is None where no definition needs it. ValueError where n is too small."""


@runtime_checkable
class DerivedMetric(Protocol):
    """A value a set of faces, from the values of other metrics."""

    @property
    def definitions(self) -> tuple[MetricDefinition, ...]:
        """What its numbers mean."""

    @property
    def ingredients(self) -> tuple[str, ...]:
        """Ids of the metrics that it is computed from."""

    def derive(
        self, per_image: Mapping[str, Float[np.ndarray, "_"]], per_set: Mapping[str, int | float]
    ) -> dict[str, float]:
        """Values by metric id, from those of its ingredients (NaN where a face failed)."""


Metric = FaceMetric | SetMetric | DerivedMetric
