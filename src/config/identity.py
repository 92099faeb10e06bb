"""Run identity: a hash of everything in the configuration that can change the weights of a stage, and of nothing else."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from src.config.arms import stage_of_arm
from src.config.idle_settings import idle_of_method, idle_of_objective, idle_settings
from src.config.stage_order import is_guided
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
    "latent_vqgan": ("latent_autoencoder", "discriminator"),
    "latent_encoder": ("latent_autoencoder",),
    "latent_score": ("latent_autoencoder", "latent_unet"),
    "guide_recogniser": ("recogniser", "mobile_recogniser"),
    "identity_recovery": ("swinir", "restoration_unet", "recogniser"),
    "latent_mask": ("latent_autoencoder", "latent_mask"),
}
"""Network sizes that a stage may depend on."""

STAGES_WITH_ARMS = ("cft", "restoration_backbone", "texture_fusion", "latent_vqgan", "latent_score", "latent_mask")
"""Stages that a comparison trains several times with other settings; their records bear the arm's label."""


def effective_config(config: TrainConfig) -> dict[str, Any]:
    """The part of the configuration that can change the weights of `config.stage`: no paths, logging, hardware or labels."""
    settings = _canonical(getattr(config, config.stage))
    for holder, names in idle_settings(config, settings):
        for name in names:
            holder.pop(name)
    sizes = {name: asdict(_size(config, name)) for name in sizes_of(config)}
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
    if config.stage == "guide_recogniser":
        return ("mobile_recogniser" if config.guide_recogniser.architecture == "mobile" else "recogniser",)
    if config.stage == "identity_recovery":
        return (_size_of_recovery(config),)
    if config.stage == "latent_mask" and config.latent_mask.kind == "global":
        return ("latent_autoencoder",)
    return SIZES_OF_STAGE[config.stage]


def _size_of_recovery(config: TrainConfig) -> str:
    if config.identity_recovery.output == "embedding":
        return "recogniser"
    return "swinir" if config.identity_recovery.architecture == "swinir" else "restoration_unet"


def _size(config: TrainConfig, name: str) -> Any:
    size = getattr(config.scale, name)
    return size[config.latent_vqgan.latent] if name == "latent_autoencoder" else size


def _shared_settings(config: TrainConfig) -> dict[str, Any]:
    """What a stage depends on beside its own settings and sizes."""
    return _published_guide(config) | _settings_of_branches(config)


def _published_guide(config: TrainConfig) -> dict[str, Any]:
    """A guide that is no run of this suite counts by its name."""
    guided = is_guided(config, config.stage) and config.guide.network != "trained"
    return {"guide": config.guide.network} if guided else {}


def _settings_of_branches(config: TrainConfig) -> dict[str, Any]:
    """Of the two stages of CodeFormer++."""
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
    if settings.get("codebook", {}).get("start") == "uniform":
        settings["codebook"].pop("start")
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


def arm_label(config: TrainConfig) -> str:
    """The arm that a run's records bear: its label, or the stage where that has no arms or the label is another stage's."""
    if config.stage in STAGES_WITH_ARMS and stage_of_arm(config.label) in (None, config.stage):
        return config.label
    return config.stage


def run_name(config: TrainConfig, run_identity: str) -> str:
    """Readable name of a run: scale, what tells it from other runs of its stage, seed and identity."""
    own = _told_by(config)
    return "-".join([config.scale.name, *([own] if own else []), f"s{config.seed}", run_identity])


def _told_by(config: TrainConfig) -> str:
    """The arm, or of networks that several arms build on a setting of theirs."""
    kinds = {
        "registration": config.registration.method.kind,
        "latent_vqgan": config.latent_vqgan.latent,
        "latent_encoder": config.latent_vqgan.latent,
        "latent_score": config.latent_score.sde.kind,
        "latent_mask": config.latent_mask.kind,
        "guide_recogniser": config.guide_recogniser.architecture,
    }
    return kinds.get(config.stage, config.label if config.stage in STAGES_WITH_ARMS else "")
