"""The score and the identity gate of the NTIRE real-world face restoration challenge (arXiv 2604.10532; difface.md)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from src.metrics.definition import MetricDefinition
from src.metrics.kind import BuildContext
from src.metrics.metric import DerivedMetric

CHALLENGE = "NTIRE real-world face restoration challenge, arXiv 2604.10532"
Real = int | float
FROM_MEMORY = "terms and divisors from public descriptions, not checked against the organisers' script"


@dataclass(frozen=True, kw_only=True)
class IdentityFailuresKind:
    """How many faces lost the identity of what was restored."""

    similarity: str
    """Id of a cosine between the restored and the degraded face."""
    threshold: Real = 0.3
    """Least cosine of a face that passes. The challenge has one for each of its data sets."""

    def __post_init__(self) -> None:
        if not -1 <= self.threshold <= 1:
            raise ValueError(f"threshold {self.threshold} is no cosine, expected a number in [-1, 1]")

    def missing(self, context: BuildContext) -> list[str]:
        """Nothing of its own."""
        return []

    def build(self, name: str, context: BuildContext) -> DerivedMetric:
        """The metric."""
        return IdentityFailures(name, self.similarity, self.threshold)


class IdentityFailures:
    """Number of faces whose cosine to the degraded face lies below a threshold, or could not be measured."""

    def __init__(self, name: str, similarity: str, threshold: Real) -> None:
        self._similarity, self._threshold = similarity, threshold
        self.ingredients = (similarity,)
        definition = MetricDefinition(
            id=name,
            role="identity_failures",
            direction="lower",
            range="[0, n] faces",
            formula=f"number of faces with {similarity} < {threshold}, or without a value",
            source=f"identity gate of the {CHALLENGE}; its thresholds differ between data sets",
            needs=("input",),
        )
        self.definitions = (definition,)

    def derive(self, per_image: Mapping[str, Float[np.ndarray, "_"]], per_set: Mapping[str, Real]) -> dict[str, float]:
        """The count."""
        passed = per_image[self._similarity] >= self._threshold
        return {self.definitions[0].id: float(np.count_nonzero(~passed))}


@dataclass(frozen=True, kw_only=True)
class NtireScoreKind:
    """The challenge's sum of six qualities; each option but the last is the id of the metric that gives one."""

    clipiqa: str
    maniqa: str
    musiq: str
    qalign: str
    niqe: str
    fid: str
    failures: str
    """Number of faces that lost their identity."""
    failures_below: int = 10
    """Only with fewer failures is there a score."""

    def missing(self, context: BuildContext) -> list[str]:
        """Nothing of its own."""
        return []

    def build(self, name: str, context: BuildContext) -> DerivedMetric:
        """The metric."""
        return NtireScore(name, self)


class NtireScore:
    """Sum of six qualities of a set of faces, where enough of them kept their identity."""

    def __init__(self, name: str, of: NtireScoreKind) -> None:
        self._of = of
        self._faces = (of.clipiqa, of.maniqa, of.musiq, of.qalign, of.niqe)
        self.ingredients = (*self._faces, of.fid, of.failures)
        definition = MetricDefinition(
            id=name,
            role="ntire_face_score",
            direction="higher",
            range="[0, about 6]; none where identity was lost too often",
            formula=f"{of.clipiqa} + {of.maniqa} + {of.musiq}/100 + {of.qalign}/5 + max(0, (10 - {of.niqe})/10) + "
            f"max(0, (100 - {of.fid})/100), means over the faces; NaN unless {of.failures} < {of.failures_below}",
            source=f"{CHALLENGE}; {FROM_MEMORY}",
            needs=("input",),
        )
        self.definitions = (definition,)

    def derive(self, per_image: Mapping[str, Float[np.ndarray, "_"]], per_set: Mapping[str, Real]) -> dict[str, float]:
        """The score; NaN where identity was lost too often, or where a face or the set lacks an ingredient."""
        passed = per_set[self._of.failures] < self._of.failures_below
        means = [float(np.mean(per_image[name])) for name in self._faces]
        score = ntire_face_score(*means, fid=float(per_set[self._of.fid]))
        return {self.definitions[0].id: score if passed else math.nan}


def ntire_face_score(clipiqa: Real, maniqa: Real, musiq: Real, qalign: Real, niqe: Real, *, fid: Real) -> float:
    """Sum of six terms of about [0, 1] each, higher is better; NaN if one of them is."""
    terms = (clipiqa, maniqa, musiq / 100, qalign / 5, floored((10 - niqe) / 10), floored((100 - fid) / 100))
    return float(sum(terms))


def floored(term: Real) -> float:
    """max(0, term), NaN for NaN."""
    return float(np.maximum(0.0, term))
