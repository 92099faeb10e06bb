"""CLR-Face's learnable latent mask, under which identity guidance acts (clr_face.md 6)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate
from torch.optim import Optimizer

from src.checkpoints.clr_face_facts import GUIDE_FACT
from src.checkpoints.network_file import save_network
from src.degradation.canvas import to_device
from src.degradation.keyed import SampleKey, stream_number
from src.degradation.keyed_images import keyed_gates, keyed_latents, keyed_shares
from src.diffusion.conditioned_denoiser import ConditionedDenoiser
from src.diffusion.noise_level import LatentProcess
from src.guidance.identity_guide import IdentityGuide
from src.guidance.mask_objective import guidance_gain_terms, identity_set_terms
from src.losses.identity import IdentityLoss
from src.losses.perceptual import PerceptualLoss
from src.networks.identity_recovery import EmbeddingRecovery, IdentityRecovery
from src.networks.latent_autoencoder import LatentAutoencoder
from src.networks.latent_encoder import LatentEncoder
from src.networks.latent_mask import build_latent_mask
from src.networks.latent_score import LatentScoreUnet
from src.networks.resolution_levels import latent_side
from src.settings.clr_face import LatentMaskSettings
from src.settings.errors import UserError
from src.settings.scale import ScaleSettings
from src.stages.copied_files import copied_files
from src.stages.frozen import Frozen
from src.stages.latent_condition import LatentCondition, shown_recovery
from src.stages.stage import Batch, Stage
from src.stages.unguided_restoration import restored_from_noise
from src.stages.weight_average import WeightAverage

Latent = Float[Tensor, "b c h w"]

PART, NOISE, GATES = (stream_number(f"latent_mask_{name}") for name in ("part", "noise", "gates"))


class LatentMaskStage(Stage):
    """Trains the mask alone.

    Parts of the process, noise and gates are functions of seed, iteration and place in the global batch, so that neither a
    resumed run nor another number of devices sees others.
    """

    kind = "latent_mask"

    def __init__(
        self,
        settings: LatentMaskSettings,
        scale: ScaleSettings,
        *,
        autoencoder: LatentAutoencoder,
        encoder: LatentEncoder,
        score: LatentScoreUnet,
        process: LatentProcess,
        guide: IdentityLoss,
        recovery: IdentityRecovery | EmbeddingRecovery,
        perceptual: PerceptualLoss | None,
        files: Mapping[str, Path],
        seed: int,
    ) -> None:
        """`process` is the one that `score` inverts, `perceptual` belongs to the objective `guidance_gain`; `files` are
        copied beside the weights."""
        super().__init__(settings.training, seed)
        self.settings, self.scale = settings, scale
        if settings.objective == "guidance_gain" and perceptual is None:
            raise UserError(
                "latent_mask.objective: guidance_gain weighs identity against texture, which needs a perceptual network; "
                "fetch the weights of lpips_vgg or st_lpips, or choose identity_set"
            )
        self.perceptual = None if perceptual is None else Frozen(perceptual)
        self.process, self.guide, self.files = process, guide, files
        self.autoencoder, self.score, self.recovery = Frozen(autoencoder), Frozen(score), Frozen(recovery)
        self.condition = Frozen(_condition(score, encoder, autoencoder, recovery))
        self.sizes = {
            "kind": settings.kind,
            "channels": autoencoder.size.code_dim,
            "side": latent_side(autoencoder.size),
            "temperature": settings.temperature,
            "initial": settings.initial,
            "latent_mask": asdict(scale.latent_mask),
        }
        self.network = build_latent_mask(self.sizes)
        self.average = WeightAverage(self.network, settings.training.ema_decay)

    def configure_optimizers(self) -> list[Optimizer]:
        """Adam for the mask."""
        return [self.adam(self.network.parameters())]

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on the objective."""
        keys = [SampleKey(self.seed, self.iteration, place) for place in self.places]
        z0, condition = self._latents(batch)
        drawn = self._parts(keys)
        z_lq, parts = condition[:, : z0.shape[1]], to_device(drawn, self.device)
        gates = keyed_gates(keys, GATES, _shape(z0), self.device)
        mask = self.network.trained(z_lq, parts, gates, self.settings.gates)
        terms = self._objective(mask, batch, z0, condition, drawn, keyed_latents(keys, NOISE, _shape(z0), self.device))
        loss = torch.stack([self._weight(name) * term for name, term in terms.items()]).sum()
        scalars = {name: term.detach() for name, term in terms.items()}
        self.guard(scalars)
        self.descend(self.optimizers(), loss)
        self.average.update(self.network)
        with torch.no_grad():
            return scalars | {"hard_area": self.average.network.hard(z_lq, parts).mean()}

    def _weight(self, term: str) -> int | float:
        weights = {"area": self.settings.area, "binary": self.settings.binary, "smoothness": self.settings.smoothness}
        return weights.get(term, 1.0)

    @torch.no_grad()
    def _latents(self, batch: Batch) -> tuple[Latent, Float[Tensor, "b k h w"]]:
        """Clean latents and the score model's conditions."""
        return self.autoencoder.network.latent_of(batch["hq"]).float(), self.condition.network(batch["lq"])

    def _parts(self, keys: Sequence[SampleKey]) -> Float[Tensor, "b"]:
        """On the CPU."""
        first, last = self.settings.window
        return (first + (last - first) * torch.from_numpy(keyed_shares(keys, PART))).float()

    def _objective(
        self, mask: Latent, batch: Batch, z0: Latent, condition: Tensor, parts: Tensor, noise: Latent
    ) -> dict[str, Tensor]:
        decode, embed = self.autoencoder.network.decoded, self.guide.embed
        with torch.no_grad():
            person = embed(batch["hq"])
        if self.settings.objective == "identity_set":
            return identity_set_terms(mask, z0, self._restored(condition, noise), decode, embed, person)
        assert self.perceptual is not None
        with torch.no_grad():
            towards = self.recovery.network.embedding(batch["lq"], embed)
            z0_hat = self._estimate(z0, condition, parts, noise)
        # The step goes where the sampler's would, to the recovered identity; whether it pays, the clean face tells.
        guide = IdentityGuide(embed, decode, towards)
        faces, perceptual = batch["hq"], self.perceptual.network
        return guidance_gain_terms(mask, z0_hat, guide, decode, perceptual, embed, faces, person, self.settings.step)

    def _restored(self, condition: Tensor, noise: Latent) -> Latent:
        """Latents restored without guidance."""
        steps = self.settings.restoration_steps
        return restored_from_noise(self.process, self.score.network, condition, noise, steps)

    def _estimate(self, z0: Latent, condition: Tensor, parts: Tensor, noise: Latent) -> Latent:
        """Tweedie's estimate of the clean latents, each noised to its own part (on the CPU) of the process."""
        t = to_device(torch.tensor([self.process.at(part) for part in parts.tolist()]), self.device)
        alpha, sigma = (coefficient.view(-1, 1, 1, 1) for coefficient in self.process.marginal(t))
        z_t = alpha * z0 + sigma * noise
        return (z_t - sigma * ConditionedDenoiser(self.process, self.score.network, condition)(z_t, t)) / alpha

    @torch.no_grad()
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        """The degraded face, restored without guidance, with the clean latent put in under the mask of the window's middle,
        the mask (mean over the channels, white is 1), and the clean face."""
        z0, condition = self._latents(batch)
        keys = [SampleKey(self.seed, 0, place) for place in range(len(z0))]
        restored = self._restored(condition, keyed_latents(keys, NOISE, _shape(z0), z0.device))
        part = torch.full((len(z0),), sum(self.settings.window) / 2, device=z0.device)
        mask = self.average.network.soft(condition[:, : z0.shape[1]], part)
        mixed = mask * z0 + (1 - mask) * restored
        decode = self.autoencoder.network.decoded
        return {
            "input": batch["lq"],
            "restored": decode(restored).clamp(-1, 1),
            "mixed": decode(mixed).clamp(-1, 1),
            "mask": _mask_image(mask, batch["hq"]),
            "face": batch["hq"],
        }

    def save_weights(self, folder: Path, facts: dict[str, str]) -> dict[str, str]:
        """The averaged mask, and copies of the networks that it is built on."""
        path = folder / f"{self.kind}.safetensors"
        settings = self.settings
        facts = facts | {"objective": settings.objective, "gates": settings.gates, GUIDE_FACT: self.guide.name}
        saved = save_network(path, self.kind, self.average.network, self.sizes, facts)
        return {self.kind: saved, **copied_files(self.files, folder)}


def _condition(
    score: LatentScoreUnet,
    encoder: LatentEncoder,
    autoencoder: LatentAutoencoder,
    recovery: IdentityRecovery | EmbeddingRecovery,
) -> LatentCondition:
    """What the score model was trained on, told by the channels of its condition."""
    if score.condition_channels == autoencoder.size.code_dim:
        return LatentCondition(encoder, autoencoder, None)
    return LatentCondition(encoder, autoencoder, shown_recovery(recovery))


def _mask_image(mask: Latent, like: Float[Tensor, "b 3 h_face w_face"]) -> Float[Tensor, "b 3 h_face w_face"]:
    """Mean over the channels, enlarged without smoothing; black is 0, white is 1."""
    return 2 * interpolate(mask.mean(1, keepdim=True), like.shape[-2:], mode="nearest").expand_as(like) - 1


def _shape(z: Latent) -> tuple[int, int, int]:
    channels, height, width = z.shape[1:]
    return channels, height, width
