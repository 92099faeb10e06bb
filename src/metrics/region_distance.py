"""What happens to the eyes and the mouth: perceptual distance within them, and the identity that they alone lose."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from src.metrics.definition import MetricDefinition
from src.metrics.face_batch import Extractor, FaceBatch
from src.metrics.face_regions import FaceRegion, region_mask, region_mean
from src.metrics.identity import RecogniserKind, cosine
from src.metrics.kind import BuildContext
from src.metrics.metric import FaceMetric
from src.metrics.perceptual import PERCEPTUAL_NETWORKS, PerceptualNetwork


@dataclass(frozen=True)
class RegionDistanceKind:
    """Perceptual distance within a region, from the same pass as that of whole faces."""

    network: str
    """A name of `PERCEPTUAL_NETWORKS`."""
    region: str
    """`eyes` or `mouth`."""
    size: int | float | None = None
    """Side of the region's squares in a face of 512 pixels; None takes GFPGAN's, 80 for eyes and 120 for the mouth."""

    def __post_init__(self) -> None:
        if self.network not in PERCEPTUAL_NETWORKS:
            raise ValueError(f"network {self.network!r} is not one of {', '.join(PERCEPTUAL_NETWORKS)}")
        FaceRegion(self.region, self.size)

    def missing(self, context: BuildContext) -> list[str]:
        """What the network lacks."""
        return PERCEPTUAL_NETWORKS[self.network].missing(context)

    def build(self, name: str, context: BuildContext) -> FaceMetric:
        """The metric, its network shared with the metric of whole faces."""
        known, region = PERCEPTUAL_NETWORKS[self.network], FaceRegion(self.region, self.size)
        definition = known.definition(
            context,
            id=name,
            role=f"perceptual_{self.region}",
            formula=f"{known.formula}; instead of each depth's mean over the face that within {region.words}",
        )
        return RegionDistance(known.shared(context), region, definition)


class RegionDistance:
    """Sum over the depths of a perceptual network of the mean distance within a region.

    The features that are compared see beyond the region, the deeper the farther. Positions are taken as cells of an even
    grid over the image, which AlexNet's convolutions without padding shift by less than a cell.
    """

    def __init__(self, network: PerceptualNetwork, region: FaceRegion, definition: MetricDefinition) -> None:
        self._network, self._region = network, region
        self.definitions = (definition,)

    @torch.inference_mode()
    def measure(self, faces: FaceBatch) -> dict[str, Float[Tensor, "b"]]:
        """One distance a face; NaN where a landmark of the region is not finite."""
        boxes = self._region.boxes(faces)
        means = [region_mean(values, boxes) for values in self._network.compare(faces).depths]
        return {self.definitions[0].id: torch.stack(means).sum(0)}


@dataclass(frozen=True)
class RegionIdentityDropKind(RecogniserKind):
    """What a region alone does to the identity."""

    region: str
    """`eyes` or `mouth`."""
    size: int | float | None = None
    """Side of the region's squares in a face of 512 pixels; None takes GFPGAN's, 80 for eyes and 120 for the mouth."""

    def __post_init__(self) -> None:
        super().__post_init__()
        FaceRegion(self.region, self.size)

    def build(self, name: str, context: BuildContext) -> FaceMetric:
        """The metric."""
        region = FaceRegion(self.region, self.size)
        definition = self.definition(
            context,
            id=name,
            role=f"identity_drop_{self.region}",
            direction="lower",
            range="[0, 2], 0 where the region keeps the identity",
            formula="1 - cosine(truth, truth with the restored pixels (hard edges) of " + region.words + ")",
        )
        return RegionIdentityDrop(self.embedder(context), region, definition)


class RegionIdentityDrop:
    """1 - cosine(truth, truth with a region of the restored face).

    The region is set in with hard edges, so that a colour shift of the restored face counts as well.
    """

    def __init__(self, embedder: Extractor, region: FaceRegion, definition: MetricDefinition) -> None:
        self._embedder, self._region = embedder, region
        self.definitions = (definition,)

    @torch.inference_mode()
    def measure(self, faces: FaceBatch) -> dict[str, Float[Tensor, "b"]]:
        """The loss a face; NaN where a landmark of the region is not finite."""
        mask = region_mask(self._region.boxes(faces), *faces.restored.shape[-2:])
        mixed = self._embedder(torch.where(mask, faces.restored, faces.truth), faces.landmarks)
        drop = 1 - cosine(faces.features(self._embedder, "truth"), mixed)
        return {self.definitions[0].id: drop.where(mask.flatten(1).any(1), torch.nan)}
