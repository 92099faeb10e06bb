"""Run identity: a hash of everything in the configuration that can change the weights of a stage, and of nothing else."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from src.config.idle_settings import idle_of_method, idle_of_objective, idle_settings
from src.degradation.chain import plain_recipe
from src.settings.codeformer_plus_plus import SIZE_OF_METHOD
from src.settings.commands import TrainConfig
from src.settings.degradation import DegradationRecipe

SIZES_OF_STAGE = {
    "vqgan": ("autoencoder", "discriminator"),
    "code_predictor": ("autoencoder", "code_predictor"),
    "cft": ("autoencoder", "code_predictor", "discriminator"),
    "recogniser": ("recogniser",),
    "diffusion_prior": ("diffusion_unet",),
    "restoration_backbone": ("swinir", "srcnn"),
    "landmark_detector": ("landmark_detector",),
    "registration": (*sorted(set(SIZE_OF_METHOD.values())),),
    "texture_fusion": ("texture_fusion",),
}
"""Network sizes that a stage may depend on."""

STAGES_WITH_ARMS = ("cft", "restoration_backbone", "texture_fusion")
"""Stages that a comparison trains several times with other settings; their runs and records bear the arm's label."""


def effective_config(config: TrainConfig) -> dict[str, Any]:
    """The part of the configuration that can change the weights of `config.stage`: no paths, logging, hardware or labels."""
    settings = _canonical(getattr(config, config.stage))
    for holder, names in idle_settings(config, settings):
        for name in names:
            holder.pop(name)
    sizes = {name: asdict(getattr(config.scale, name)) for name in sizes_of(config)}
    return {
        "stage": config.stage,
        "seed": config.seed,
        "precision": config.trainer.precision,
        "scale": {"name": config.scale.name, "image_size": config.scale.image_size, **sizes},
        "data": _content(asdict(config.data)),
        config.stage: settings,
        **_shared_settings(config),
    }


def sizes_of(config: TrainConfig) -> tuple[str, ...]:
    """Network sizes that the stage depends on under its settings."""
    if config.stage == "restoration_backbone":
        return (config.restoration_backbone.architecture,)
    if config.stage == "registration":
        size = SIZE_OF_METHOD.get(config.registration.method.kind)
        return () if size is None else (size,)
    if config.stage == "texture_fusion" and config.texture_fusion.losses.adversarial > 0:
        return ("texture_fusion", "discriminator")
    return SIZES_OF_STAGE[config.stage]


def _shared_settings(config: TrainConfig) -> dict[str, Any]:
    """What the two stages of CodeFormer++ depend on beside their own settings."""
    if config.stage not in ("registration", "texture_fusion"):
        return {}
    if config.stage == "registration":
        return {"branches": branch_settings(config)}
    method = asdict(config.registration.method)
    for name in idle_of_method(config.registration.method):
        method.pop(name)
    shared = {"branches": branch_settings(config), "registration_method": method}
    if config.texture_fusion.registration_rate > 0:
        objective = asdict(config.registration.objective)
        shared["registration_objective"] = {k: v for k, v in objective.items() if k not in idle_of_objective(config)}
    return shared


def branch_settings(config: TrainConfig) -> dict[str, Any]:
    """What of the branches' settings changes them; where another restorer's weights lie counts by their hash."""
    branches = config.branches
    plain = asdict(branches) | {"degradation": plain_recipe(branches.degradation)}
    idle = ("checkpoint", "sampling") if branches.generative == "codeformer" else ("checkpoint", "generative_fidelity")
    for name in idle:
        plain.pop(name)
    if "sampling" in plain:
        plain["sampling"].pop("backbone")
    return plain


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
    """Readable name of a run: scale, label (of stages that have arms) or method, seed and identity."""
    label = config.label if config.stage in STAGES_WITH_ARMS else ""
    if config.stage == "registration":
        label = config.registration.method.kind
    return "-".join([config.scale.name, *([label] if label else []), f"s{config.seed}", run_identity])
