"""CLR-Face's score model: clean latents, told the latent of the degraded face (clr_face.md 4)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Num
from torch import Tensor
from torch.optim import Optimizer

from src.checkpoints.clr_face_facts import score_facts
from src.checkpoints.network_file import save_network
from src.degradation.canvas import to_device
from src.degradation.keyed import SampleKey, stream_number
from src.degradation.keyed_images import keyed_latents, keyed_shares
from src.diffusion.conditioned_denoiser import ConditionedDenoiser
from src.diffusion.process import build_process
from src.diffusion.score_matching import antithetic_shares, score_matching_loss
from src.diffusion.sde import VarianceExploding
from src.networks.identity_recovery import EmbeddingRecovery, IdentityRecovery
from src.networks.latent_autoencoder import LatentAutoencoder
from src.networks.latent_encoder import LatentEncoder
from src.networks.latent_score import LatentScoreUnet
from src.networks.resolution_levels import latent_side
from src.settings.clr_face import LatentScoreSettings, SdeSettings
from src.settings.scale import ScaleSettings
from src.stages.copied_files import copied_files
from src.stages.frozen import Frozen
from src.stages.latent_condition import LatentCondition, shown_recovery
from src.stages.stage import Batch, Stage
from src.stages.unguided_restoration import restored_from_noise
from src.stages.weight_average import WeightAverage

Latent = Float[Tensor, "b c h w"]
Condition = Float[Tensor, "b k h w"]

TIME, NOISE, DROPOUT = (stream_number(f"latent_score_{name}") for name in ("time", "noise", "condition_dropout"))
CURVE_POINTS = 10


class LatentScoreStage(Stage):
    """Trains by denoising score matching; autoencoder, encoder and identity recovery stay as they are.

    Times, noise and dropped conditions are functions of seed, iteration and place in the global batch, so that neither a
    resumed run nor another number of devices sees others.
    """

    kind = "latent_score"

    def __init__(
        self,
        settings: LatentScoreSettings,
        scale: ScaleSettings,
        *,
        autoencoder: LatentAutoencoder,
        encoder: LatentEncoder,
        recovery: IdentityRecovery | EmbeddingRecovery | None,
        files: Mapping[str, Path],
        seed: int,
    ) -> None:
        """`recovery` belongs to the condition `degraded_and_recovered`; `files` are copied beside the weights."""
        super().__init__(settings.training, seed)
        self.settings, self.scale, self.files = settings, scale, files
        self.autoencoder = Frozen(autoencoder)
        shown = shown_recovery(recovery) if settings.condition == "degraded_and_recovered" else None
        self.condition = Frozen(LatentCondition(encoder, autoencoder, shown))
        self.latent_channels = autoencoder.size.code_dim
        self.network = LatentScoreUnet(scale.latent_unet, self.latent_channels, self.condition.network.channels)
        self.average = WeightAverage(self.network, settings.training.ema_decay)
        self.process = build_process(settings.sde, autoencoder.size.code_dim * latent_side(autoencoder.size) ** 2)

    def configure_optimizers(self) -> list[Optimizer]:
        """Adam for the network."""
        return [self.adam(self.network.parameters())]

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on the mean squared error of the noise, each latent at a time of its own."""
        keys = [SampleKey(self.seed, self.iteration, place) for place in self.places]
        z0, condition = self._latents(batch)
        denoiser = ConditionedDenoiser(self.process, self.network, self._kept(condition, keys))
        noise = keyed_latents(keys, NOISE, _shape(z0), self.device)
        loss = score_matching_loss(self.process, denoiser, z0, self._times(keys), noise).mean()
        scalars = {"score_matching": loss.detach()}
        self.guard(scalars)
        self.descend(self.optimizers(), loss)
        self.average.update(self.network)
        return scalars

    @torch.no_grad()
    def _latents(self, batch: Batch) -> tuple[Latent, Condition]:
        """Clean latents and conditions."""
        return self.autoencoder.network.latent_of(batch["hq"]).float(), self.condition.network(batch["lq"])

    def _times(self, keys: Sequence[SampleKey]) -> Num[Tensor, "b"]:
        if not self.settings.antithetic:
            shares = torch.from_numpy(keyed_shares(keys, TIME))
        else:
            of_pairs = [SampleKey(key.seed, key.epoch, key.index // 2) for key in keys]
            places = torch.tensor([key.index for key in keys])
            shares = antithetic_shares(torch.from_numpy(keyed_shares(of_pairs, TIME)), places)
        return self.process.times(to_device(shares.float(), self.device))

    def _kept(self, condition: Condition, keys: Sequence[SampleKey]) -> Condition:
        """The conditions, zero for the share of faces that `condition_dropout` says."""
        if self.settings.condition_dropout == 0:
            return condition
        kept = torch.from_numpy(keyed_shares(keys, DROPOUT) >= self.settings.condition_dropout).to(condition.dtype)
        return condition * to_device(kept, condition.device)[:, None, None, None]

    @torch.no_grad()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        """The degraded face, as encoder and decoder alone restore it, as the score model does, the clean face encoded
        and decoded, and the clean face."""
        z0, condition = self._latents(batch)
        restored = restored_from_noise(
            self.process, self.average.network, condition, self._preview_noise(z0), self.settings.sample_steps
        )
        latents = {"encoder": condition[:, : self.latent_channels], "restored": restored, "reconstruction": z0}
        shown = {name: self.autoencoder.network.decoded(z).clamp(-1, 1) for name, z in latents.items()}
        return {"input": batch["lq"], **shown, "face": batch["hq"]}

    @torch.no_grad()
    def denoising_curve(self, batch: Batch) -> dict[float, float]:
        """Mean squared error of the averaged network's noise by part of the process, with the same noise every time."""
        z0, condition = self._latents(batch)
        denoiser = ConditionedDenoiser(self.process, self.average.network, condition)
        noise, curve = self._preview_noise(z0), {}
        for part in np.linspace(0, 1, CURVE_POINTS + 1)[1:].tolist():
            t = torch.full((len(z0),), self.process.at(part), device=z0.device)
            curve[round(part, 3)] = score_matching_loss(self.process, denoiser, z0, t, noise).mean().item()
        return curve

    def _preview_noise(self, z0: Latent) -> Latent:
        keys = [SampleKey(self.seed, 0, place) for place in range(len(z0))]
        return keyed_latents(keys, NOISE, _shape(z0), z0.device)

    def save_weights(self, folder: Path, facts: dict[str, str]) -> dict[str, str]:
        """The averaged network with the process that it inverts, and copies of the networks that it is built on."""
        sizes = {
            "latent_unet": asdict(self.scale.latent_unet),
            "latent_channels": self.latent_channels,
            "condition_channels": self.condition.network.channels,
        }
        path = folder / f"{self.kind}.safetensors"
        facts = facts | score_facts(self._sde(), self.settings.condition)
        saved = save_network(path, self.kind, self.average.network, sizes, facts)
        return {self.kind: saved, **copied_files(self.files, folder)}

    def _sde(self) -> SdeSettings:
        """The settings with the sigma_max that the process has, so that faces of another size are given the same."""
        if isinstance(self.process, VarianceExploding):
            return replace(self.settings.sde, sigma_max=self.process.sigma_max)
        return self.settings.sde


def _shape(z: Latent) -> tuple[int, int, int]:
    channels, height, width = z.shape[1:]
    return channels, height, width
