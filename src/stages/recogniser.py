"""A small face recogniser trained on labelled identities: one measures where no published network can, another guides."""

from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from src.checkpoints.network_file import save_network
from src.data.source import FaceSource
from src.degradation.keyed import stream_number
from src.losses.angular_margin import angular_margin_loss
from src.networks.mobile_recogniser import MobileRecogniser
from src.networks.recogniser import Recogniser
from src.settings.clr_face import GuideRecogniserSettings
from src.settings.errors import UserError
from src.settings.scale import ScaleSettings
from src.settings.stages import RecogniserSettings
from src.stages.stage import Batch, Stage
from src.stages.weight_average import WeightAverage


def refuse_unlabelled(source: FaceSource) -> None:
    """Raise UserError unless the faces show two people at least: a recogniser learns to tell people apart.

    People of a single picture are allowed; those are learnt by their clean and degraded copies alone.
    """
    if source.identities < 2:
        raise UserError(
            f"data: the training split has {len(source)} faces of {source.identities} identity, and a recogniser needs two "
            "at least; give a table with the column identity (data.table), other data, or guide.network=<a published one>"
        )


class RecogniserStage(Stage):
    """Trains on clean and degraded faces with the additive angular margin loss.

    As stage `guide_recogniser` it draws other first weights than `recogniser` with the same seed: with the same
    architecture too, the network that guides must not be the one that measures.
    """

    kind = "recogniser"

    def __init__(self, settings: RecogniserSettings, scale: ScaleSettings, *, identities: int, seed: int) -> None:
        super().__init__(settings.training, seed)
        self.settings, self.scale = settings, scale
        if isinstance(settings, GuideRecogniserSettings):
            self.kind = "guide_recogniser"
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(stream_number(self.kind, seed))
                self.network = _network(settings.architecture, scale)
        else:
            self.network = _network("resnet", scale)
        self.centres = nn.Parameter(torch.randn(identities, self.network.size.embedding_dim))
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
        kind = "mobile_recogniser" if isinstance(self.network, MobileRecogniser) else "recogniser"
        path, sizes = folder / f"{self.kind}.safetensors", {kind: asdict(self.network.size)}
        return {self.kind: save_network(path, kind, self.average.network, sizes, facts)}


def _network(architecture: str, scale: ScaleSettings) -> Recogniser | MobileRecogniser:
    if architecture == "mobile":
        return MobileRecogniser(scale.mobile_recogniser)
    return Recogniser(scale.recogniser)
