"""A small face recogniser trained on labelled identities; it measures identity where no published network can."""

from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from src.checkpoints.network_file import save_network
from src.losses.angular_margin import angular_margin_loss
from src.networks.recogniser import Recogniser
from src.settings.scale import ScaleSettings
from src.settings.stages import RecogniserSettings
from src.stages.stage import Batch, Stage
from src.stages.weight_average import WeightAverage


class RecogniserStage(Stage):
    """Trains on clean and degraded faces with the additive angular margin loss."""

    kind = "recogniser"

    def __init__(self, settings: RecogniserSettings, scale: ScaleSettings, *, identities: int, seed: int) -> None:
        super().__init__(settings.training, seed)
        self.settings, self.scale = settings, scale
        self.network = Recogniser(scale.recogniser)
        self.centres = nn.Parameter(torch.randn(identities, scale.recogniser.embedding_dim))
        self.average = WeightAverage(self.network, settings.training.ema_decay)

    def configure_optimizers(self) -> list[Optimizer]:
        """Adam for the network and the class centres."""
        return [self.adam([*self.network.parameters(), self.centres])]

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on the margin loss."""
        embedding, labels = self.network(batch["lq"]), batch["identity"]
        loss = angular_margin_loss(embedding, self.centres, labels, self.settings.margin, self.settings.logit_scale)
        self.guard({"margin": loss})
        self.descend(self.optimizers(), loss)
        self.average.update(self.network)
        with torch.no_grad():
            nearest = (embedding.float() @ nn.functional.normalize(self.centres).T).argmax(-1)
        return {"margin": loss.detach(), "accuracy_top1": (nearest == labels).float().mean()}

    @torch.no_grad()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        """The faces as the network sees them, degraded or not."""
        return {"input": batch["lq"], "face": batch["hq"]}

    def save_weights(self, folder: Path, facts: dict[str, str]) -> dict[str, str]:
        """The averaged network; the class centres are of no use for other identities."""
        sizes = {"recogniser": asdict(self.scale.recogniser)}
        path = folder / "recogniser.safetensors"
        return {"recogniser": save_network(path, "recogniser", self.average.network, sizes, facts)}
