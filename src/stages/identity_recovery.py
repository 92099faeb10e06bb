"""CLR-Face's Identity Recovery Network: a regressor that is right about the person rather than pretty (clr_face.md 5)."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss
from torch.optim import Optimizer
from torch.profiler import record_function

from src.checkpoints.clr_face_facts import OUTPUT_FACT
from src.checkpoints.network_file import save_network
from src.losses.identity import IdentityLoss
from src.losses.perceptual import PerceptualLoss
from src.networks.identity_recovery import EmbeddingRecovery, IdentityRecovery, identity_recovery
from src.networks.recogniser import Recogniser
from src.networks.restoration_unet import RestorationUnet
from src.networks.swinir import SwinIr
from src.settings.clr_face import IdentityRecoverySettings
from src.settings.errors import UserError
from src.settings.scale import ScaleSettings
from src.stages.dropped_paths import seed_dropped_paths
from src.stages.frozen import Frozen
from src.stages.stage import Batch, Stage
from src.stages.weight_average import WeightAverage


class IdentityRecoveryStage(Stage):
    """Trains on pixels, perceptual distance and identity, or on the guide's embedding of the clean face alone."""

    kind = "identity_recovery"

    def __init__(
        self,
        settings: IdentityRecoverySettings,
        scale: ScaleSettings,
        *,
        guide: IdentityLoss | None,
        perceptual: PerceptualLoss | None,
        seed: int,
    ) -> None:
        """`guide` may be None where nothing compares identities, `perceptual` where its weight is 0."""
        super().__init__(settings.training, seed)
        _check_guide(settings, guide)
        self.settings, self.scale = settings, scale
        self.guide = guide
        self.perceptual = None if perceptual is None else Frozen(perceptual)
        self.network_kind, self.sizes, self.network = self._built()
        self.average = WeightAverage(self.network, settings.training.ema_decay)

    def _built(self) -> tuple[str, dict[str, dict], nn.Module]:
        """Kind and sizes of the network file, and the untrained network."""
        scale = self.scale
        if self.settings.output == "embedding":
            size = replace(scale.recogniser, embedding_dim=self._embedding_dim())
            return "recogniser", {"recogniser": asdict(size)}, Recogniser(size)
        if self.settings.architecture == "swinir":
            return "swinir", {"swinir": asdict(scale.swinir)}, SwinIr(scale.swinir)
        sizes = {"restoration_unet": asdict(scale.restoration_unet)}
        return "restoration_unet", sizes, RestorationUnet(scale.restoration_unet)

    @torch.no_grad()
    def _embedding_dim(self) -> int:
        assert self.guide is not None
        side = self.scale.image_size
        return self.guide.embed(torch.zeros(1, 3, side, side)).shape[1]

    def configure_optimizers(self) -> list[Optimizer]:
        """Adam for the network."""
        return [self.adam(self.network.parameters())]

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on the weighted sum of the terms."""
        if self.network_kind == "swinir":
            seed_dropped_paths(self.seed, self.iteration, self.trainer.global_rank)
        terms = list(self._terms(identity_recovery(self.network), batch))
        loss = torch.stack([weight * term for _, weight, term in terms]).sum()
        scalars = {name: term.detach() for name, _, term in terms}
        self.guard(scalars)
        self.descend(self.optimizers(), loss)
        self.average.update(self.network)
        return scalars

    def _terms(
        self, recovery: IdentityRecovery | EmbeddingRecovery, batch: Batch
    ) -> Iterator[tuple[str, int | float, Tensor]]:
        """Name, weight and value of every term."""
        settings, faces = self.settings, batch["hq"]
        if isinstance(recovery, EmbeddingRecovery):
            yield "identity", 1.0, self._embedding_distance(recovery, batch)
            return
        recovered = recovery.unclamped(batch["lq"])
        yield "pixel", settings.pixel, l1_loss(recovered, faces.float())
        if self.perceptual is not None and settings.perceptual > 0:
            with record_function("perceptual"):
                distance = self.perceptual.network(recovered, faces)
            yield "perceptual", settings.perceptual, distance
        if self.guide is not None and settings.identity > 0:
            yield "identity", settings.identity, self.guide(recovered, faces)

    def _embedding_distance(self, recovery: EmbeddingRecovery, batch: Batch) -> Tensor:
        """1 - mean cosine of the predicted embedding and the guide's of the clean face."""
        assert self.guide is not None
        embed = self.guide.embed
        with torch.no_grad():
            goal = embed(batch["hq"])
        return 1 - (recovery.embedding(batch["lq"], embed).float() * goal.float()).sum(1).mean()

    @torch.no_grad()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        """The degraded face, the recovered one where one can be looked at, and the clean face."""
        recovery = identity_recovery(self.average.network)
        shown = {"recovered": recovery(batch["lq"])} if isinstance(recovery, IdentityRecovery) else {}
        return {"input": batch["lq"], **shown, "face": batch["hq"]}

    def save_weights(self, folder: Path, facts: dict[str, str]) -> dict[str, str]:
        """The averaged network."""
        path, facts = folder / f"{self.kind}.safetensors", facts | {OUTPUT_FACT: self.settings.output}
        return {self.kind: save_network(path, self.network_kind, self.average.network, self.sizes, facts)}


def _check_guide(settings: IdentityRecoverySettings, guide: IdentityLoss | None) -> None:
    if guide is None and (settings.output == "embedding" or settings.identity > 0):
        raise UserError(
            f"identity_recovery: output={settings.output} with identity={settings.identity:g} compares embeddings, but there "
            "is no recogniser that guides; choose guide.network, or output=image with identity=0"
        )
