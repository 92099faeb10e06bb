"""How far a restoration moves the features of a face."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from src.metrics.definition import MetricDefinition
from src.metrics.face_batch import Extractor, FaceBatch
from src.metrics.kind import BuildContext
from src.metrics.landmark_networks import LANDMARK_NETWORKS, UNIT_SIDE
from src.metrics.metric import FaceMetric


@dataclass(frozen=True)
class LandmarkDistanceKind:
    """Mean distance between the landmarks of the restored and the true face."""

    landmarks: str
    """A name of `LANDMARK_NETWORKS`."""

    def __post_init__(self) -> None:
        if self.landmarks not in LANDMARK_NETWORKS:
            raise ValueError(f"landmarks {self.landmarks!r} is not one of {', '.join(LANDMARK_NETWORKS)}")

    def missing(self, context: BuildContext) -> list[str]:
        """What the network lacks."""
        return LANDMARK_NETWORKS[self.landmarks].missing(context)

    def build(self, name: str, context: BuildContext) -> FaceMetric:
        """The metric."""
        known = LANDMARK_NETWORKS[self.landmarks]
        finder = context.shared(f"landmarks {self.landmarks}", lambda: known.load(context))
        definition = MetricDefinition(
            id=name,
            role="landmarks",
            direction="lower",
            range=f"[0, {UNIT_SIDE}] pixels of a face of {UNIT_SIDE}",
            formula="mean Euclidean distance between the landmarks of the restored and the true face, each found anew; "
            "a failure where either has no face",
            source=f"{known.source}; conventions.md 6.1",
            extractor_sha256=known.sha256(context),
        )
        return LandmarkDistance(finder, definition)


class LandmarkDistance:
    """Mean Euclidean distance between two faces' landmarks."""

    def __init__(self, finder: Extractor, definition: MetricDefinition) -> None:
        self._finder = finder
        self.definitions = (definition,)

    def measure(self, faces: FaceBatch) -> dict[str, Float[Tensor, "b"]]:
        """Pixels of a face of 512; NaN where either face was not found."""
        moved = faces.features(self._finder) - faces.features(self._finder, "truth")
        return {self.definitions[0].id: moved.unflatten(1, (-1, 2)).norm(dim=2).mean(1)}
