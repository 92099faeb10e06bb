"""CLR-Face's autoencoder and encoder, small enough to train in a second."""

from pathlib import Path

import pytorch_lightning as pl
import torch

from src.losses.perceptual import PerceptualLoss
from src.networks.latent_autoencoder import LatentAutoencoder
from src.settings.commands import TrainConfig
from src.stages.latent_encoder import LatentEncoderStage
from src.stages.latent_vqgan import LatentVqganStage
from tests.stages.small import small_config

LATENT_OVERRIDES = (
    "scale.latent_autoencoder.f4.width=8",
    "scale.latent_autoencoder.f4.norm_groups=4",
    "scale.latent_autoencoder.f4.codebook_size=32",
    "latent_vqgan.losses.adversarial_start=2",
    "latent_vqgan.losses.perceptual=0",
    "latent_vqgan.codebook.window=2",
    "latent_vqgan.codebook.restart_every=2",
    "latent_encoder.perceptual=0",
)


def latent_config(stage: str, iterations: int = 6, *changes: str) -> TrainConfig:
    """Configuration of `latent_vqgan` or `latent_encoder` that trains for `iterations` small batches."""
    return small_config(stage, iterations, *LATENT_OVERRIDES, *changes)


def small_autoencoder(config: TrainConfig) -> LatentAutoencoder:
    """The configured autoencoder with random weights, and statistics that are not those of a normalised latent."""
    network = LatentAutoencoder(config.scale.latent_autoencoder[config.latent_vqgan.latent])
    channels = network.size.code_dim
    network.set_statistics(torch.linspace(-0.1, 0.2, channels), torch.linspace(0.2, 0.5, channels))
    return network


def latent_stage(
    config: TrainConfig, files: dict[str, Path] | None = None, perceptual: PerceptualLoss | None = None
) -> LatentVqganStage | LatentEncoderStage:
    """The configured stage; `files` are copied beside what the encoder's saves."""
    pl.seed_everything(0, verbose=False)
    if config.stage == "latent_vqgan":
        return LatentVqganStage(config.latent_vqgan, config.scale, perceptual=perceptual, seed=0)
    return LatentEncoderStage(
        config.latent_encoder,
        autoencoder=small_autoencoder(config),
        perceptual=perceptual,
        files=files or {},
        seed=0,
    )
