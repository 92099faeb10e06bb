"""A small landmark detector trained on rendered faces, whose landmarks are known exactly."""

from dataclasses import asdict
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor
from torch.optim import Optimizer

from src.checkpoints.network_file import save_network
from src.degradation.keyed import SampleKey
from src.losses.landmark import heatmap_divergence, landmark_distance
from src.networks.landmark_detector import LandmarkDetector, heatmap_means
from src.settings.landmark_detector import LandmarkDetectorSettings
from src.settings.scale import ScaleSettings
from src.stages.random_movement import moved_at_random
from src.stages.stage import Batch, Stage
from src.stages.weight_average import WeightAverage

PREVIEW_SIDE = 256
"""Least side of a picture with points drawn into it, pixels."""
DOT_RADIUS = 1.5
"""Of a drawn point, pixels of the enlarged picture."""
DOT_COLOUR = (-1.0, 1.0, -0.2)


class LandmarkDetectorStage(Stage):
    """Trains on clean and degraded faces, moved at random, with the distance of the points and the heatmaps' divergence."""

    kind = "landmark_detector"

    def __init__(self, settings: LandmarkDetectorSettings, scale: ScaleSettings, *, seed: int) -> None:
        super().__init__(settings.training, seed)
        self.settings, self.scale = settings, scale
        self.network = LandmarkDetector(scale.landmark_detector)
        self.average = WeightAverage(self.network, settings.training.ema_decay)

    def configure_optimizers(self) -> list[Optimizer]:
        """Adam for the network."""
        return [self.adam(self.network.parameters())]

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One step; the logged `error_pixels` is in pixels of the training faces."""
        side = batch["lq"].shape[-1]
        keys = [SampleKey(self.seed, self.iteration, place) for place in self.places]
        faces, points = moved_at_random(batch["lq"], batch["landmarks"], keys, self.settings.movement)
        target = points / side
        heatmaps = self.network.heatmaps(faces)
        distance = landmark_distance(heatmap_means(heatmaps), target)
        divergence = heatmap_divergence(heatmaps, target)
        self.guard({"distance": distance, "heatmap": divergence})
        self.descend(self.optimizers(), distance + self.settings.heatmap_weight * divergence)
        self.average.update(self.network)
        return {"error_pixels": distance.detach() * side, "heatmap": divergence.detach()}

    @torch.no_grad()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        """The points that the averaged network finds in the degraded and in the clean face."""
        columns = {"input": batch["lq"], "face": batch["hq"]}
        return {name: with_points(faces, self.average.network(faces)) for name, faces in columns.items()}

    def save_weights(self, folder: Path, facts: dict[str, str]) -> dict[str, str]:
        """The averaged network."""
        sizes = {self.kind: asdict(self.scale.landmark_detector)}
        path = folder / f"{self.kind}.safetensors"
        return {self.kind: save_network(path, self.kind, self.average.network, sizes, facts)}


def with_points(
    faces: Float[Tensor, "b 3 h w"], points: Float[Tensor, "b k 2"]
) -> Float[Tensor, "b 3 h_large w_large"]:
    """Faces in [-1, 1] with a dot at every point (x, y), pixels of `faces`; enlarged to at least `PREVIEW_SIDE`."""
    factor = max(1, -(-PREVIEW_SIDE // faces.shape[-1]))
    large = F.interpolate(faces.float(), scale_factor=float(factor), mode="nearest")
    colour = large.new_tensor(DOT_COLOUR).view(3, 1, 1)
    drawn = [
        torch.where(_dots(places, face), colour, face) for places, face in zip(factor * points, large, strict=True)
    ]
    return torch.stack(drawn)


def _dots(places: Float[Tensor, "k 2"], face: Float[Tensor, "3 h w"]) -> Bool[Tensor, "h w"]:
    height, width = face.shape[-2:]
    x, y = (torch.arange(length, device=face.device) + 0.5 for length in (width, height))
    across, down = (x - places[:, :1]) ** 2, (y - places[:, 1:]) ** 2
    return (down[:, :, None] + across[:, None, :]).amin(0) <= DOT_RADIUS**2
