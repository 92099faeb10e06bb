"""Settings of CLR-Face's stages that change nothing under their other settings."""

from collections.abc import Iterator
from typing import Any

from src.settings.commands import TrainConfig

Idle = Iterator[tuple[dict[str, Any], tuple[str, ...]]]
"""A mapping, and the names in it that are to be left out."""

_OF_VP = ("beta_min", "beta_max")
_OF_VE = ("sigma_min", "sigma_max")
_OF_DDPM = ("steps", "first_beta", "last_beta")
_IDLE_OF_SDE = {
    "vp": (*_OF_VE, *_OF_DDPM),
    "ve": (*_OF_VP, *_OF_DDPM),
    "ddpm": (*_OF_VP, *_OF_VE, "smallest_time"),
}


def idle_of_clr_face(config: TrainConfig, settings: dict[str, Any]) -> Idle:
    """Of the stage's settings as plain data."""
    if config.stage == "latent_encoder" and config.latent_encoder.perceptual == 0:
        yield settings, ("perceptual_network",)
    if config.stage == "latent_score":
        yield settings, ("sample_steps",)
        yield settings["sde"], _IDLE_OF_SDE[config.latent_score.sde.kind]
    if config.stage == "identity_recovery":
        yield settings, tuple(_idle_of_recovery(config))
    if config.stage == "latent_mask":
        yield settings, _idle_of_mask(config)


def _idle_of_recovery(config: TrainConfig) -> Iterator[str]:
    recovery = config.identity_recovery
    if recovery.output == "embedding":
        yield from ("architecture", "pixel", "perceptual", "perceptual_network", "identity")
    elif recovery.perceptual == 0:
        yield "perceptual_network"


def _idle_of_mask(config: TrainConfig) -> tuple[str, ...]:
    if config.latent_mask.objective == "identity_set":
        without = ("window",) if config.latent_mask.kind == "global" else ()
        return ("step", "perceptual", "perceptual_network", *without)
    without = () if config.latent_mask.perceptual > 0 else ("perceptual_network",)
    return ("restoration_steps", "binary", "smoothness", *without)
