"""CLR-Face's score model, identity recovery and mask, small enough to train in a second, on networks with random weights."""

from dataclasses import replace
from pathlib import Path

import pytorch_lightning as pl
import torch

from src.diffusion.process import build_process
from src.losses.identity import IdentityLoss
from src.losses.perceptual import PerceptualLoss
from src.networks.identity_recovery import EmbeddingRecovery, IdentityRecovery, identity_recovery
from src.networks.latent_encoder import LatentEncoder
from src.networks.latent_score import LatentScoreUnet
from src.networks.recogniser import Recogniser
from src.networks.resolution_levels import latent_side
from src.networks.restoration_unet import RestorationUnet
from src.settings.commands import TrainConfig
from src.stages.identity_recovery import IdentityRecoveryStage
from src.stages.latent_mask import LatentMaskStage
from src.stages.latent_score import LatentScoreStage
from tests.stages.small import small_config
from tests.stages.small_latent import LATENT_OVERRIDES, small_autoencoder

REFINEMENT_OVERRIDES = (
    *LATENT_OVERRIDES,
    "scale.latent_autoencoder.f4.image_size=32",
    "scale.latent_unet.image_size=8",
    "scale.latent_unet.width=8",
    "scale.latent_unet.multipliers=[1,2]",
    "scale.latent_unet.residual_blocks=[1,1]",
    "scale.latent_unet.attention_sizes=[4]",
    "scale.latent_unet.head_width=8",
    "scale.latent_unet.norm_groups=4",
    "scale.restoration_unet.widths=[8,8]",
    "scale.restoration_unet.norm_groups=4",
    "scale.latent_mask.width=8",
    "latent_score.sample_steps=3",
    "identity_recovery.perceptual=0",
    "latent_mask.restoration_steps=2",
)

CLR_FACE_VARIANTS = {
    "latent_score": ("latent_score",),
    "identity_recovery": ("identity_recovery",),
    "latent_mask": ("latent_mask",),
    "exploding": ("latent_score", "latent_score.sde.kind=ve", "latent_score.condition_dropout=0.3"),
    "discrete": ("latent_score", "latent_score.sde.kind=ddpm", "latent_score.condition=degraded_and_recovered"),
    "light_recovery": ("identity_recovery", "identity_recovery.architecture=unet"),
    "embedding_recovery": ("identity_recovery", "identity_recovery.output=embedding"),
    "adaptive_mask": ("latent_mask", "latent_mask.kind=adaptive", "latent_mask.gates=hard_concrete"),
    "gainful_mask": ("latent_mask", "latent_mask.objective=guidance_gain", "latent_mask.gates=straight_through"),
}
"""Ways to train each of these stages: its name and overrides."""


class SquaredDifference(PerceptualLoss):
    """In the place of a perceptual network."""

    name = "squared_difference"

    def __init__(self) -> None:
        super().__init__(torch.nn.Identity())

    def forward(self, restored: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (restored - target).square().mean()


def small_guide(config: TrainConfig) -> IdentityLoss:
    """A recogniser of 8 numbers, which no other has."""
    network = Recogniser(replace(config.scale.recogniser, embedding_dim=8))
    return IdentityLoss("small", network, network)


def small_recovery(config: TrainConfig) -> IdentityRecovery | EmbeddingRecovery:
    """A U-Net that does not return its input."""
    network = RestorationUnet(config.scale.restoration_unet)
    torch.nn.init.normal_(network.conv_out.weight, std=0.05)
    return identity_recovery(network)


def clr_face_config(variant: str, iterations: int = 6, *changes: str) -> TrainConfig:
    """Configuration of one of `CLR_FACE_VARIANTS` that trains for `iterations` small batches."""
    stage, *own = CLR_FACE_VARIANTS[variant]
    return small_config(stage, iterations, *REFINEMENT_OVERRIDES, *own, *changes)


def clr_face_stage(
    config: TrainConfig, files: dict[str, Path] | None = None, perceptual: PerceptualLoss | None = None
) -> LatentScoreStage | IdentityRecoveryStage | LatentMaskStage:
    """The configured stage; `files` are copied beside what it saves."""
    pl.seed_everything(0, verbose=False)
    if config.stage == "identity_recovery":
        guide = small_guide(config)
        return IdentityRecoveryStage(config.identity_recovery, config.scale, guide=guide, perceptual=perceptual, seed=0)
    autoencoder = small_autoencoder(config)
    encoder = LatentEncoder.of(autoencoder)
    if config.stage == "latent_score":
        return LatentScoreStage(
            config.latent_score,
            config.scale,
            autoencoder=autoencoder,
            encoder=encoder,
            recovery=small_recovery(config),
            files=files or {},
            seed=0,
        )
    channels = autoencoder.size.code_dim
    return LatentMaskStage(
        config.latent_mask,
        config.scale,
        autoencoder=autoencoder,
        encoder=encoder,
        score=small_score(config, channels),
        process=build_process(config.latent_score.sde, channels * latent_side(autoencoder.size) ** 2),
        guide=small_guide(config),
        recovery=small_recovery(config),
        perceptual=SquaredDifference() if config.latent_mask.objective == "guidance_gain" else perceptual,
        files=files or {},
        seed=0,
    )


def small_score(config: TrainConfig, channels: int) -> LatentScoreUnet:
    """A score model that sees some noise."""
    network = LatentScoreUnet(config.scale.latent_unet, channels, channels)
    torch.nn.init.normal_(network.unet.out[2].weight, std=0.1)
    return network
