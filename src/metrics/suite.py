"""The metrics of an evaluation: chosen by what weights are at hand, with one pass of every extractor."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from src.metrics.definition import MetricDefinition
from src.metrics.distribution import Extractor, frechet_distance, kernel_distance
from src.metrics.identity import Embedder, cosine, degrees

Levels = UInt8[Tensor, "b 3 h w"]
Landmarks = Float[Tensor, "b 5 2"]


@dataclass(frozen=True)
class PairMetric:
    """A value per image, from restored and reference in [0, 1]."""

    definition: MetricDefinition
    measure: Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class IdentityMetric:
    """Cosine and angle of one recogniser."""

    cosine: MetricDefinition
    angle: MetricDefinition
    embed: Embedder


@dataclass(frozen=True)
class DistributionMetric:
    """Frechet and kernel distance on one extractor's features."""

    frechet: MetricDefinition
    kernel: MetricDefinition
    extract: Extractor


@dataclass(frozen=True)
class SuiteResult:
    """What an evaluator measured, by metric id."""

    per_image: dict[str, Float[np.ndarray, "n"]]
    """NaN where an image could not be measured."""
    distribution: dict[str, float]
    """NaN below two faces, or where some feature is not finite."""
    failures: dict[str, int]
    definitions: dict[str, MetricDefinition]


@dataclass
class MetricSuite:
    """All metrics of a study. References are embedded once a benchmark and shared by its evaluators."""

    pairs: list[PairMetric]
    identities: list[IdentityMetric]
    distributions: list[DistributionMetric]
    notice: str
    """One line that says what stands for what."""
    device: torch.device
    _references: dict[str, dict[str, list[Tensor]]] = field(default_factory=dict)

    @property
    def definitions(self) -> dict[str, MetricDefinition]:
        """Every definition by id, in the order of the tables."""
        listed = [pair.definition for pair in self.pairs]
        listed += [definition for identity in self.identities for definition in (identity.cosine, identity.angle)]
        listed += [definition for metric in self.distributions for definition in (metric.frechet, metric.kernel)]
        return {definition.id: definition for definition in listed}

    def primary_id(self, role: str) -> str | None:
        """The metric that stands for a role: the first of that role."""
        return next((name for name, definition in self.definitions.items() if definition.role == role), None)

    def evaluator(self, benchmark: str) -> "SuiteEvaluator":
        """An empty evaluator; evaluators of the same `benchmark` (its hash) share the work on the references."""
        return SuiteEvaluator(self, self._references.setdefault(benchmark, {}))


class SuiteEvaluator:
    """Collects one restorer's images, batch by batch and in the benchmark's order."""

    def __init__(self, suite: MetricSuite, references: dict[str, list[Tensor]]) -> None:
        self._suite, self._references = suite, references
        self._values: dict[str, list[Tensor]] = {}
        self._features: dict[str, list[Tensor]] = {}
        self._seen = 0

    @torch.inference_mode()
    def update(self, restored: Levels, reference: Levels, landmarks: Landmarks | None = None) -> None:
        """Measure a batch of rounded images; computed in float32 outside autocast."""
        suite = self._suite
        with torch.autocast(suite.device.type, enabled=False):
            x, y = (images.to(suite.device).float() / 255 for images in (restored, reference))
            for pair in suite.pairs:
                self._add(pair.definition.id, pair.measure(x, y))
            for identity in suite.identities:
                truth = self._reference(identity.cosine.id, len(y), partial(identity.embed, y, landmarks))
                similarity = cosine(identity.embed(x, landmarks), truth)
                self._add(identity.cosine.id, similarity)
                self._add(identity.angle.id, degrees(similarity))
            for metric in suite.distributions:
                self._reference(metric.frechet.id, len(y), partial(metric.extract, y))
                self._features.setdefault(metric.frechet.id, []).append(metric.extract(x).cpu())
        self._seen += len(y)

    def _add(self, name: str, values: Tensor) -> None:
        self._values.setdefault(name, []).append(values.double().cpu())

    def _reference(self, name: str, count: int, compute: Callable[[], Tensor]) -> Tensor:
        """Rows of the next `count` references; kept one by one, because evaluators may cut the batches differently."""
        kept = self._references.setdefault(name, [])
        if len(kept) < self._seen + count:
            kept.extend(compute().cpu()[len(kept) - self._seen :])
        return torch.stack(kept[self._seen : self._seen + count]).to(self._suite.device)

    def compute(self) -> SuiteResult:
        """Per-image values and distribution distances of everything seen; a value that is not finite is a failure.

        Raises ValueError before the first batch.
        """
        if not self._seen:
            raise ValueError("an evaluator needs at least one batch before it can compute")
        per_image = {name: _finite(torch.cat(values).numpy()) for name, values in self._values.items()}
        failures = {name: int(np.isnan(values).sum()) for name, values in per_image.items()}
        return SuiteResult(per_image, self._distances(), failures, self._suite.definitions)

    def _distances(self) -> dict[str, float]:
        distances = {}
        for metric in self._suite.distributions:
            name = metric.frechet.id
            restored = torch.cat(self._features[name]).double().numpy()
            reference = torch.stack(self._references[name][: self._seen]).double().numpy()
            measurable = self._seen > 1 and np.isfinite(restored).all() and np.isfinite(reference).all()
            distances[name] = frechet_distance(restored, reference) if measurable else math.nan
            distances[metric.kernel.id] = kernel_distance(restored, reference) if measurable else math.nan
        return distances


def _finite(values: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    return np.where(np.isfinite(values), values, np.nan)
