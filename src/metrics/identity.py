"""Identity similarity: the angle between embeddings of two views of a face."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from src.metrics.definition import MetricDefinition
from src.metrics.face_batch import Extractor, FaceBatch
from src.metrics.kind import BuildContext
from src.metrics.metric import FaceMetric
from src.metrics.recognisers import GUIDE, RECOGNISERS
from src.settings.metric_roles import guide_role

MARGIN = 1e-7


def cosine(a: Float[Tensor, "b d"], b: Float[Tensor, "b d"]) -> Float[Tensor, "b"]:
    """Cosine of unit-norm embeddings, clamped to [-1 + 1e-7, 1 - 1e-7] in float64."""
    return (a.double() * b.double()).sum(1).clamp(-1 + MARGIN, 1 - MARGIN)


def degrees(cosines: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
    """Angle of a cosine."""
    return torch.arccos(cosines) * 180 / math.pi


@dataclass(frozen=True)
class RecogniserKind:
    """What the metrics of identity have in common."""

    recogniser: str
    """A name of `RECOGNISERS`."""

    def __post_init__(self) -> None:
        if self.recogniser not in RECOGNISERS:
            raise ValueError(f"recogniser {self.recogniser!r} is not one of {', '.join(RECOGNISERS)}")

    def missing(self, context: BuildContext) -> list[str]:
        """What the recogniser lacks."""
        return RECOGNISERS[self.recogniser].missing(context)

    def embedder(self, context: BuildContext) -> Extractor:
        """The recogniser, one for all metrics of a suite."""
        return context.shared(f"recogniser {self.recogniser}", lambda: RECOGNISERS[self.recogniser].load(context))

    def definition(self, context: BuildContext, *, role: str, **facts: Any) -> MetricDefinition:
        """A definition with these `facts`, and what the recogniser says of itself; the guide has roles of its own."""
        known = RECOGNISERS[self.recogniser]
        played = guide_role(role) if self.recogniser == GUIDE else role
        return MetricDefinition(role=played, source=known.source, extractor_sha256=known.sha256(context), **facts)


@dataclass(frozen=True)
class IdentityKind(RecogniserKind):
    """Cosine (`<name>`) and angle (`<name>_degrees`) between the restored and the true face."""

    def build(self, name: str, context: BuildContext) -> FaceMetric:
        """The metric."""
        similarity = self.definition(
            context,
            id=name,
            role="identity",
            direction="higher",
            range="[-1, 1], 1 for the same embedding",
            formula="cosine of the embeddings of the restored and the true face",
        )
        angle = self.definition(
            context,
            id=f"{name}_degrees",
            role="identity_degrees",
            direction="lower",
            range="[0, 180] degrees",
            formula="arccos of the cosine, clamped by 1e-7",
        )
        return Identity(self.embedder(context), similarity, angle)


class Identity:
    """Cosine and angle between the restored and the true face."""

    def __init__(self, embedder: Extractor, similarity: MetricDefinition, angle: MetricDefinition) -> None:
        self._embedder = embedder
        self.definitions = (similarity, angle)

    def measure(self, faces: FaceBatch) -> dict[str, Float[Tensor, "b"]]:
        """Cosine and degrees a face."""
        similarity = cosine(faces.features(self._embedder), faces.features(self._embedder, "truth"))
        return {self.definitions[0].id: similarity, self.definitions[1].id: degrees(similarity)}


@dataclass(frozen=True)
class IdentityDropKind(RecogniserKind):
    """How much of the identity that the degraded input still shows the restoration loses."""

    def build(self, name: str, context: BuildContext) -> FaceMetric:
        """The metric."""
        definition = self.definition(
            context,
            id=name,
            role="identity_drop",
            direction="lower",
            range="[-2, 2], below 0 where restoring brings the face closer to the person",
            formula="cosine(input, truth) - cosine(restored, truth)",
            needs=("truth", "input"),
        )
        return IdentityDrop(self.embedder(context), definition)


class IdentityDrop:
    """cosine(input, truth) - cosine(restored, truth)."""

    def __init__(self, embedder: Extractor, definition: MetricDefinition) -> None:
        self._embedder = embedder
        self.definitions = (definition,)

    def measure(self, faces: FaceBatch) -> dict[str, Float[Tensor, "b"]]:
        """The loss a face."""
        truth = faces.features(self._embedder, "truth")
        before = cosine(faces.features(self._embedder, "input"), truth)
        return {self.definitions[0].id: before - cosine(faces.features(self._embedder), truth)}


@dataclass(frozen=True)
class IdentityToInputKind(RecogniserKind):
    """Cosine between the restored and the degraded face: all that is known of identity where no original exists."""

    def build(self, name: str, context: BuildContext) -> FaceMetric:
        """The metric."""
        definition = self.definition(
            context,
            id=name,
            role="identity_to_input",
            direction="higher",
            range="[-1, 1]; returning the input gives 1",
            formula="cosine of the embeddings of the restored and the degraded face",
            needs=("input",),
        )
        return IdentityToInput(self.embedder(context), definition)


class IdentityToInput:
    """Cosine between the restored and the degraded face."""

    def __init__(self, embedder: Extractor, definition: MetricDefinition) -> None:
        self._embedder = embedder
        self.definitions = (definition,)

    def measure(self, faces: FaceBatch) -> dict[str, Float[Tensor, "b"]]:
        """The cosine a face."""
        return {self.definitions[0].id: cosine(faces.features(self._embedder), faces.features(self._embedder, "input"))}
