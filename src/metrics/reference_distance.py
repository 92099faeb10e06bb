"""Distances to a reference set of faces, which need no ground truth: to a folder, or to published statistics."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from src.checkpoints.catalogue import CATALOGUE, verified_weights
from src.metrics.definition import MetricDefinition
from src.metrics.distribution import FRECHET, KERNEL, Features, SetKind
from src.metrics.face_batch import Extractor
from src.metrics.inception_statistics import read_statistics
from src.metrics.kind import BuildContext, missing_weights
from src.metrics.metric import SetMetric
from src.metrics.reference_set import (
    MOST_KEPT,
    ReferenceFeatures,
    ReferenceFolder,
    decode_face,
    image_files,
    read_folder,
    reference_features,
)
from src.metrics.set_distances import frechet_between, kernel_distance, moments

OVERRIDE = "metrics.reference=FOLDER, or for FFHQ metrics.ffhq=FOLDER"


class DistanceToReference:
    """A distance between the features of the restored faces and of a reference set."""

    def __init__(
        self, extractor: Extractor, definition: MetricDefinition, distance: Callable[[Features], float]
    ) -> None:
        self.extractor = extractor
        self.definitions = (definition,)
        self._distance = distance

    def distances(self, restored: Features, truth: Float[np.ndarray, "m d"] | None) -> dict[str, float]:
        """The distance; ValueError below two faces."""
        return {self.definitions[0].id: self._distance(restored)}


@dataclass(frozen=True)
class _ReferenceKind(SetKind):
    """A distance to the faces of a folder."""

    reference: str | None = None
    """Folder of face images, searched with its sub-folders; null: not measured."""
    images: int | None = None
    """Images that the folder has to hold, where the definition says how many; null: any number from two."""
    side: int | None = None
    """Side in pixels of the measured faces and of the folder's, where the definition says it; null: the folder's faces are
    brought to the side of the measured ones."""

    def missing(self, context: BuildContext) -> list[str]:
        """What the extractor and the folder lack."""
        lacking = self._lacking() or other_side(self.side, context)
        return super().missing(context) + ([lacking] if lacking else [])

    def _lacking(self) -> str:
        if self.reference is None:
            return f"no reference set is given: give a folder of face images by {OVERRIDE}"
        found = self._count()
        if found < 2 or found != (self.images or found):
            wanted = self.images or "at least two"
            return (
                f"the reference set {self.reference} holds {found} images, expected {wanted}: correct it by {OVERRIDE}"
            )
        if self.side is not None and (found_side := _first_side(Path(self.reference).expanduser())) != self.side:
            return f"the reference set {self.reference} holds images of {found_side} pixels, expected {self.side}"
        return ""

    def _count(self) -> int:
        return len(image_files(Path(self.reference or "").expanduser()))

    def _build(
        self, name: str, context: BuildContext, distance: Callable[[Features, ReferenceFeatures], float], facts: Any
    ) -> SetMetric:
        folder, side = Path(self.reference or "").expanduser(), context.side
        faces = context.shared(f"reference {folder}", lambda: read_folder(folder, context.cache))
        place = f"reference features {self.extractor} {side} {folder}"
        found = context.shared(place, lambda: self._features(faces, context))
        brought = f", brought to {side} pixels by Pillow's Lanczos" if side else ""
        definition = self.definition(
            context,
            id=name,
            needs=(),
            reference=f"a folder of {len(faces.files)} faces{brought}",
            reference_sha256=faces.sha256,
            reference_n=len(faces.files),
            **facts,
        )
        return DistanceToReference(self.load_extractor(context), definition, lambda restored: distance(restored, found))

    def _features(self, faces: ReferenceFolder, context: BuildContext) -> ReferenceFeatures:
        extractor, sha256 = self.load_extractor(context), context.sha256(self.network.weights)
        side = context.side
        return reference_features(faces, extractor, sha256, device=context.device, cache=context.cache, side=side)


@dataclass(frozen=True)
class FrechetReferenceKind(_ReferenceKind):
    """Frechet distance to the faces of a folder (arXiv 1706.08500)."""

    def build(self, name: str, context: BuildContext) -> SetMetric:
        """The metric; UserError where an image of the folder cannot be measured."""
        return self._build(name, context, _frechet, FRECHET)


@dataclass(frozen=True)
class KernelReferenceKind(_ReferenceKind):
    """Kernel distance to the faces of a folder (arXiv 1801.01401), of which there may be `MOST_KEPT`."""

    def build(self, name: str, context: BuildContext) -> SetMetric:
        """The metric; UserError where an image of the folder cannot be measured."""
        return self._build(name, context, _kernel, KERNEL)

    def _lacking(self) -> str:
        if self.reference is not None and self._count() > MOST_KEPT:
            return f"the reference set {self.reference} holds more than the {MOST_KEPT} images of which all pairs are taken"
        return super()._lacking()


def other_side(side: int | None, context: BuildContext) -> str:
    """Why faces of this context's side are not those of a definition for faces of `side` pixels; empty if they are."""
    if side is None or context.side in (None, side):
        return ""
    return f"it is defined for faces of {side} pixels, and these have {context.side}"


def _first_side(folder: Path) -> int:
    return max(decode_face(image_files(folder)[0]).shape)


def _frechet(restored: Features, reference: ReferenceFeatures) -> float:
    return frechet_between(moments(restored), reference.moments)


def _kernel(restored: Features, reference: ReferenceFeatures) -> float:
    assert reference.features is not None
    return kernel_distance(restored, reference.features)


@dataclass(frozen=True)
class FrechetStatisticsKind(SetKind):
    """Frechet distance to published statistics of a reference set (conventions.md 6.2, family 1)."""

    statistics: str
    """Entry of the catalogue of weights: a file with `mean` and `cov`."""
    images: int
    """Images that the statistics were computed from."""
    side: int | None = None
    """Side of those images in pixels; faces of another side are not measured."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.statistics not in CATALOGUE:
            raise ValueError(f"statistics {self.statistics!r} is no file of the catalogue of weights")

    def missing(self, context: BuildContext) -> list[str]:
        """What the extractor lacks, and the statistics."""
        lacking = super().missing(context) + missing_weights([self.statistics], context)
        return [*lacking, other] if (other := other_side(self.side, context)) else lacking

    def build(self, name: str, context: BuildContext) -> SetMetric:
        """The metric; UserError where the statistics are damaged."""
        reference = read_statistics(verified_weights(self.statistics, context.weights_dir))
        definition = self.definition(
            context,
            id=name,
            needs=(),
            reference=CATALOGUE[self.statistics].description,
            reference_sha256=context.sha256(self.statistics),
            reference_n=self.images,
            **FRECHET,
        )

        def distance(restored: Features) -> float:
            return frechet_between(moments(restored), reference)

        return DistanceToReference(self.load_extractor(context), definition, distance)
