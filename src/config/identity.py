"""Run identity: a hash of everything in the configuration that can change the weights of a stage, and of nothing else."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from src.degradation.chain import plain_recipe
from src.settings.commands import TrainConfig
from src.settings.degradation import DegradationRecipe

SIZES_OF_STAGE = {
    "vqgan": ("autoencoder", "discriminator"),
    "code_predictor": ("autoencoder", "code_predictor"),
    "cft": ("autoencoder", "code_predictor", "discriminator"),
    "recogniser": ("recogniser",),
    "diffusion_prior": ("diffusion_unet",),
    "restoration_backbone": ("swinir", "srcnn"),
}
"""Network sizes that a stage depends on."""

UPSTREAM_OF_STAGE: dict[str, tuple[str, ...]] = {
    "vqgan": (),
    "code_predictor": ("vqgan",),
    "cft": ("vqgan", "code_predictor"),
    "recogniser": (),
    "diffusion_prior": (),
    "restoration_backbone": (),
}
"""Stages whose networks a stage builds on, in the order in which they are trained."""

STAGES_WITH_ARMS = ("cft", "restoration_backbone")
"""Stages that a comparison trains several times with other settings; their runs and records bear the arm's label."""


def effective_config(config: TrainConfig) -> dict[str, Any]:
    """The part of the configuration that can change the weights of `config.stage`: no paths, logging, hardware or labels."""
    settings = _canonical(getattr(config, config.stage))
    for holder, names in _idle(config, settings):
        for name in names:
            holder.pop(name)
    sized = SIZES_OF_STAGE[config.stage]
    if config.stage == "restoration_backbone":
        sized = (config.restoration_backbone.architecture,)
    sizes = {name: asdict(getattr(config.scale, name)) for name in sized}
    return {
        "stage": config.stage,
        "seed": config.seed,
        "precision": config.trainer.precision,
        "scale": {"name": config.scale.name, "image_size": config.scale.image_size, **sizes},
        "data": _content(asdict(config.data)),
        config.stage: settings,
    }


def _canonical(stage: Any) -> dict[str, Any]:
    """Settings of a stage as plain data, recipes in their one spelling."""
    recipes = {name: plain_recipe(value) for name, value in vars(stage).items() if isinstance(value, DegradationRecipe)}
    settings = asdict(stage) | recipes
    training = settings["training"]
    training.pop("checkpoint_every")
    # Settings that came later stand in the identity only where they do something: older runs are found as before.
    for holder, name in ((training, "gradient_clip"), (training["learning_rate"], "warmup")):
        if holder[name] == 0:
            holder.pop(name)
    return settings


def _idle(config: TrainConfig, settings: dict[str, Any]) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    """Settings of the stage that change nothing under its other settings, as the mapping that holds them and their names."""
    if config.stage == "cft" and config.cft.training_fidelity == "fixed":
        yield settings, ("sampled_fidelity",)
    if config.stage == "diffusion_prior":
        prior = config.diffusion_prior
        yield settings, ("sample_steps",)
        if prior.flip_probability is None:
            yield settings, ("flip_probability",)
        if prior.objective == "simple":
            yield settings, ("bound_weight",)
        if prior.process.schedule == "cosine":
            yield settings["process"], ("first_beta", "last_beta")
    if config.stage == "restoration_backbone" and config.restoration_backbone.perceptual == 0:
        yield settings, ("perceptual_network",)


def _content(data: dict[str, Any]) -> dict[str, Any]:
    # Where the faces lie, and by which layout they are read, counts by the fingerprint of what was found. What a damaged
    # image does changes nothing where none is damaged; where one is, the run's status counts it.
    places = ("root", "table", "layout", "cache", "on_damaged")
    return {key: value for key, value in data.items() if key not in places}


def identity(effective: dict[str, Any], ingredients: dict[str, str]) -> str:
    """Ten hexadecimal digits of the SHA-256 over the effective configuration and the hashes of what it is fed with.

    `ingredients` maps a name (an upstream network, a data folder) to a hash of its content.
    """
    canonical = json.dumps({"config": effective, "ingredients": ingredients}, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]


def run_name(config: TrainConfig, run_identity: str) -> str:
    """Readable name of a run: scale, label (of stages that have arms), seed and identity."""
    label = f"-{config.label}" if config.stage in STAGES_WITH_ARMS else ""
    return f"{config.scale.name}{label}-s{config.seed}-{run_identity}"
