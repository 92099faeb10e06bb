"""The metrics of an evaluation, fed batch by batch, alone or as one of several processes."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from src.metrics.definition import MetricDefinition, View
from src.metrics.face_batch import FaceBatch, FeatureStore, Landmarks
from src.metrics.float32 import float32_convolutions
from src.metrics.metric import DerivedMetric, FaceMetric, Metric, SetMetric
from src.settings.metric_roles import role_under

Levels = UInt8[Tensor, "b 3 h w"]


@dataclass(frozen=True)
class SuiteResult:
    """What was measured, by metric id."""

    per_image: dict[str, Float[np.ndarray, "n"]]
    """NaN where an image could not be measured."""
    per_set: dict[str, float]
    """NaN below two faces, or where some feature is not finite."""
    failures: dict[str, int]
    definitions: dict[str, MetricDefinition]
    missing: dict[str, str]
    """Why a metric was not measured, a sentence each."""


@dataclass(frozen=True)
class Measurements:
    """What one process measured; rows in the order of `indices`."""

    indices: tuple[int, ...]
    values: dict[str, Float[np.ndarray, "n"]]
    """By id of a metric of single faces."""
    features: dict[tuple[View, str], Float[np.ndarray, "n d"]]
    """By view and key of an extractor."""


@dataclass
class MetricSuite:
    """All metrics of a study. What concerns a benchmark alone is computed once and shared by its evaluators."""

    metrics: Sequence[Metric]
    device: torch.device
    missing: dict[str, str] = field(default_factory=dict)
    """Why a metric is not measured, a sentence each, by metric id."""
    stand_ins: frozenset[str] = frozenset()
    """Ids of metrics that stand for ones which cannot be measured here."""
    _stores: dict[str, FeatureStore] = field(default_factory=dict)

    @property
    def definitions(self) -> dict[str, MetricDefinition]:
        """Every definition by id, in the order of the tables."""
        return {definition.id: definition for metric in self.metrics for definition in metric.definitions}

    def primary_id(self, role: str, guides: Collection[str] = ()) -> str | None:
        """The metric that stands for a role: the first of that role, where the networks with the SHA-256 `guides` guided."""
        roles = {
            name: role_under(guides, found.role, found.extractor_sha256) for name, found in self.definitions.items()
        }
        return next((name for name, played in roles.items() if played == role), None)

    def evaluator(self, benchmark: str) -> "SuiteEvaluator":
        """An empty evaluator; evaluators of the same `benchmark` (its hash) share the work on its own images."""
        return SuiteEvaluator(self, self._stores.setdefault(benchmark, FeatureStore()))

    def result(self, parts: Sequence[Measurements]) -> SuiteResult:
        """What the processes measured together; a value that is not finite is a failure.

        Raises ValueError if nothing was measured, or a face twice.
        """
        order = [index for part in parts for index in part.indices]
        if not order:
            raise ValueError("an evaluator needs at least one batch before it can compute")
        if len(set(order)) != len(order):
            raise ValueError("a face was measured twice")
        by_place = np.argsort(order)
        names = [definition.id for metric in self._of(FaceMetric) for definition in metric.definitions]
        per_image = {name: _finite(_joined([part.values for part in parts], name)[by_place]) for name in names}
        per_set = self._per_set([part.features for part in parts], by_place)
        for derived in in_order(self._of(DerivedMetric)):
            per_set |= derived.derive(per_image, per_set)
        failures = {name: int(np.isnan(values).sum()) for name, values in per_image.items()}
        return SuiteResult(per_image, per_set, failures, self.definitions, self.missing)

    def _per_set(self, features: Sequence[Mapping], by_place: np.ndarray) -> dict[str, float]:
        values: dict[str, float] = {}
        for metric in self._of(SetMetric):
            sides = [_joined(features, (view, metric.extractor.key))[by_place] for view in views_of(metric)]
            measurable = len(by_place) > 1 and all(np.isfinite(side).all() for side in sides)
            lost = {definition.id: math.nan for definition in metric.definitions}
            values |= metric.distances(sides[0], sides[1] if len(sides) > 1 else None) if measurable else lost
        return values

    def _of(self, form: type) -> list:
        return [metric for metric in self.metrics if isinstance(metric, form)]


def in_order(metrics: Sequence[DerivedMetric]) -> list[DerivedMetric]:
    """The metrics, each behind those of them that it is computed from; ValueError where they go round in a circle."""
    ordered: list[DerivedMetric] = []
    pending = list(metrics)
    while pending:
        ahead = {definition.id for metric in pending for definition in metric.definitions}
        ready = [metric for metric in pending if not ahead & set(metric.ingredients)]
        if not ready:
            raise ValueError(f"{', '.join(sorted(ahead))} are computed from each other")
        ordered += ready
        pending = [metric for metric in pending if metric not in ready]
    return ordered


def views_of(metric: SetMetric) -> tuple[View, ...]:
    """The views whose features a metric of sets takes."""
    needs_truth = any("truth" in definition.needs for definition in metric.definitions)
    return ("restored", "truth") if needs_truth else ("restored",)


class SuiteEvaluator:
    """Collects one restorer's images, batch by batch."""

    def __init__(self, suite: MetricSuite, store: FeatureStore) -> None:
        self._suite, self._store = suite, store
        self._indices: list[int] = []
        self._values: dict[str, list[Tensor]] = {}
        self._features: dict[tuple[View, str], list[Tensor]] = {}

    @torch.inference_mode()
    def update(
        self,
        indices: Sequence[int],
        restored: Levels,
        truth: Levels | None,
        degraded: Levels | None = None,
        landmarks: Landmarks | None = None,
    ) -> None:
        """Measure the faces at `indices` of the benchmark, as rounded images; in float32 outside autocast."""
        given: dict[View, Levels | None] = {"restored": restored, "truth": truth, "input": degraded}
        device = self._suite.device
        with torch.autocast(device.type, enabled=False), float32_convolutions():
            views = {view: images.to(device).float() / 255 for view, images in given.items() if images is not None}
            self._measure(FaceBatch(views, landmarks, tuple(indices), self._store))
        self._indices += indices

    def _measure(self, faces: FaceBatch) -> None:
        for metric in self._suite.metrics:
            if isinstance(metric, FaceMetric):
                for name, values in metric.measure(faces).items():
                    self._values.setdefault(name, []).append(values.double().cpu())
        extractors = {(view, m.extractor.key): m.extractor for m in self._suite._of(SetMetric) for view in views_of(m)}
        for (view, key), extractor in extractors.items():
            self._features.setdefault((view, key), []).append(faces.features(extractor, view).cpu())

    def measurements(self) -> Measurements:
        """What this process measured so far."""
        values = {name: torch.cat(parts).numpy() for name, parts in self._values.items()}
        features = {key: torch.cat(parts).double().numpy() for key, parts in self._features.items()}
        return Measurements(tuple(self._indices), values, features)

    def compute(self) -> SuiteResult:
        """The result of a single process. Raises ValueError before the first batch."""
        return self._suite.result([self.measurements()])


def _joined(parts: Sequence[Mapping], name: object) -> np.ndarray:
    """Rows of all processes; one that had no face has none."""
    return np.concatenate([part[name] for part in parts if name in part])


def _finite(values: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    return np.where(np.isfinite(values), values, np.nan)
