"""CLR-Face: encoder of degraded faces to the clean latent (clr_face.md 3); decoded, the single-stage baseline."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import mse_loss
from torch.optim import Optimizer
from torch.profiler import record_function

from src.checkpoints.network_file import save_network
from src.losses.perceptual import PerceptualLoss
from src.networks.latent_autoencoder import LatentAutoencoder
from src.networks.latent_encoder import LatentEncoder
from src.settings.clr_face import LatentEncoderSettings
from src.stages.copied_files import copied_files
from src.stages.frozen import Frozen
from src.stages.stage import Batch, Stage
from src.stages.weight_average import WeightAverage

Image = Float[Tensor, "b 3 h w"]


class LatentEncoderStage(Stage):
    """Trains E_lq, which starts as the clean encoder E, by |E_lq(y) - E(x)|^2 and LPIPS(G(q(E_lq(y))), x).

    Encoder E, codebook and generator G of `autoencoder` stay as they are; its weights file, which restoring needs, is
    among `files` and is copied beside the encoder's.
    """

    kind = "latent_encoder"

    def __init__(
        self,
        settings: LatentEncoderSettings,
        *,
        autoencoder: LatentAutoencoder,
        perceptual: PerceptualLoss | None,
        files: Mapping[str, Path],
        seed: int,
    ) -> None:
        super().__init__(settings.training, seed)
        self.settings, self.files = settings, files
        self.network = LatentEncoder.of(autoencoder)
        self.autoencoder = Frozen(autoencoder)
        self.average = WeightAverage(self.network, settings.training.ema_decay)
        self.perceptual = None if perceptual is None else Frozen(perceptual)

    def configure_optimizers(self) -> list[Optimizer]:
        """Adam for the encoder."""
        return [self.adam(self.network.parameters())]

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on the distance to the clean latent, and on that of the decoded face where it has a weight."""
        with torch.no_grad():
            target = self.autoencoder.network.latent_of(batch["hq"])
        latent = self.network(batch["lq"])
        distance = mse_loss(latent, target)
        terms, loss = {"latent": distance.detach()}, self.settings.latent * distance
        if self.perceptual is not None and self.settings.perceptual > 0:
            decoded = self.autoencoder.network.decoded(latent)
            with record_function("perceptual"):
                seen = self.perceptual.network(decoded, batch["hq"])
            terms["perceptual"] = seen.detach()
            loss = loss + self.settings.perceptual * seen
        self.guard(terms)
        self.descend(self.optimizers(), loss)
        self.average.update(self.network)
        return terms

    @torch.no_grad()
    def restored(self, faces: Image) -> Image:
        """G(q(E_lq(y))) of degraded faces in [-1, 1], by the averaged encoder; in [-1, 1]."""
        return self.autoencoder.network.decoded(self.average.network(faces)).clamp(-1, 1)

    @torch.no_grad()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        """The degraded face, the restored one, the autoencoder's reconstruction of the clean face, and the clean face."""
        reconstruction = self.autoencoder.network(batch["hq"]).image.clamp(-1, 1)
        restored = self.restored(batch["lq"])
        return {"input": batch["lq"], "restored": restored, "reconstruction": reconstruction, "face": batch["hq"]}

    def save_weights(self, folder: Path, facts: dict[str, str]) -> dict[str, str]:
        """The averaged encoder, and copies of `files`."""
        sizes = {"autoencoder": asdict(self.autoencoder.network.size)}
        path = folder / f"{self.kind}.safetensors"
        encoder = save_network(path, self.kind, self.average.network, sizes, facts)
        return {self.kind: encoder, **copied_files(self.files, folder)}
