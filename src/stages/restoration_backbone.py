"""DifFace's restoration backbone, the diffused estimator: a network trained with a pixel loss (difface.md 3.2)."""

from dataclasses import asdict
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss
from torch.optim import Optimizer
from torch.profiler import record_function

from src.checkpoints.network_file import save_network
from src.degradation.keyed import SampleKey, keyed_uniforms, stream_number
from src.losses.perceptual import PerceptualLoss
from src.networks.srcnn import SrcnnSameResolution
from src.networks.swinir import SwinIr
from src.settings.difface import RestorationBackboneSettings
from src.settings.scale import ScaleSettings
from src.stages.frozen import Frozen
from src.stages.stage import Batch, Stage
from src.stages.weight_average import WeightAverage

Image = Float[Tensor, "b 3 h w"]

PIXEL_LOSSES = {"l1": l1_loss, "l2": mse_loss}


def build_backbone(architecture: str, scale: ScaleSettings) -> nn.Module:
    """An untrained backbone: RGB in [0, 1] to RGB of the same side around [0, 1]."""
    return SwinIr(scale.swinir) if architecture == "swinir" else SrcnnSameResolution(scale.srcnn)


def on_unit_range(network: nn.Module, faces: Image) -> Image:
    """A backbone applied to faces in [-1, 1]; the result, around [-1, 1], is float32 and not clamped."""
    # In bfloat16 the step from [0, 1] to [-1, 1] would round dark tones away.
    return network((faces + 1) / 2).float() * 2 - 1


class RestorationBackboneStage(Stage):
    """Trains the backbone on pixels alone, as published, or with a perceptual distance beside them."""

    kind = "restoration_backbone"

    def __init__(
        self,
        settings: RestorationBackboneSettings,
        scale: ScaleSettings,
        *,
        perceptual: PerceptualLoss | None,
        seed: int,
    ) -> None:
        super().__init__(settings.training, seed)
        self.settings, self.scale = settings, scale
        self.network = build_backbone(settings.architecture, scale)
        self.average = WeightAverage(self.network, settings.training.ema_decay)
        self.perceptual = None if perceptual is None else Frozen(perceptual)

    def configure_optimizers(self) -> list[Optimizer]:
        """Adam for the network; the published AdamW has no weight decay."""
        return [self.adam(self.network.parameters())]

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on the pixel loss, and on the perceptual distance if it has a weight."""
        self._seed_dropped_paths()
        restored = on_unit_range(self.network, batch["lq"])
        # The loss is that of faces in [0, 1], as published.
        pixel = PIXEL_LOSSES[self.settings.pixel_loss]((restored + 1) / 2, (batch["hq"].float() + 1) / 2)
        terms, loss = {"pixel": pixel.detach()}, pixel
        if self.perceptual is not None:
            with record_function("perceptual"):
                distance = self.perceptual.network(restored, batch["hq"])
            terms["perceptual"] = distance.detach()
            loss = loss + self.settings.perceptual * distance
        self.guard(terms)
        self.descend(self.optimizers(), loss)
        self.average.update(self.network)
        return terms

    def _seed_dropped_paths(self) -> None:
        """Which paths are dropped is a function of seed, iteration and rank, so that a resumed run drops the same."""
        if self.settings.architecture == "swinir" and self.scale.swinir.drop_path > 0:
            key = SampleKey(self.seed, self.iteration, self.trainer.global_rank)
            torch.manual_seed(int(keyed_uniforms(key, stream_number("drop_path"), 1)[0] * 2**53))

    @torch.no_grad()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        """The degraded face, the restored one, and the clean face."""
        restored = on_unit_range(self.average.network, batch["lq"]).clamp(-1, 1)
        return {"input": batch["lq"], "restored": restored, "face": batch["hq"]}

    def save_weights(self, folder: Path, facts: dict[str, str]) -> dict[str, str]:
        """The averaged network."""
        architecture = self.settings.architecture
        sizes = {architecture: asdict(getattr(self.scale, architecture))}
        path = folder / f"{self.kind}.safetensors"
        return {self.kind: save_network(path, architecture, self.average.network, sizes, facts)}
