"""Settings of a stage that change nothing under its other settings, and so are no part of a run's identity."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from src.config.idle_of_clr_face import Idle, idle_of_clr_face
from src.settings.codeformer_plus_plus import FIELDS_OF_METHOD, RegistrationMethod, RegistrationObjective
from src.settings.commands import TrainConfig


def idle_settings(config: TrainConfig, settings: dict[str, Any]) -> Idle:
    """Of the stage's settings as plain data."""
    if config.stage == "cft" and config.cft.training_fidelity == "fixed":
        yield settings, ("sampled_fidelity",)
    if config.stage == "diffusion_prior":
        yield from _idle_of_prior(config, settings)
    if config.stage == "restoration_backbone" and config.restoration_backbone.perceptual == 0:
        yield settings, ("perceptual_network",)
    if config.stage == "registration":
        yield settings["method"], idle_of_method(config.registration.method)
        yield settings["objective"], idle_of_objective(config)
    if config.stage == "texture_fusion":
        yield from _idle_of_fusion(config, settings)
    yield from idle_of_clr_face(config, settings)


def idle_of_method(method: RegistrationMethod) -> tuple[str, ...]:
    """Fields of a registration method that its kind has no use for."""
    used = ("kind", *FIELDS_OF_METHOD[method.kind])
    return tuple(field.name for field in fields(method) if field.name not in used)


def idle_of_objective(config: TrainConfig) -> tuple[str, ...]:
    """Fields of a registration's objective that its method and its other fields have no use for."""
    return tuple(_idle_of_objective(config))


def _idle_of_prior(config: TrainConfig, settings: dict[str, Any]) -> Idle:
    prior = config.diffusion_prior
    yield settings, ("sample_steps",)
    if prior.flip_probability is None:
        yield settings, ("flip_probability",)
    if prior.objective == "simple":
        yield settings, ("bound_weight",)
    if prior.process.schedule == "cosine":
        yield settings["process"], ("first_beta", "last_beta")


def _idle_of_objective(config: TrainConfig) -> Iterator[str]:
    kind, objective = config.registration.method.kind, config.registration.objective
    if kind == "probabilistic_velocity":
        # Its likelihood and prior stand for similarity and regulariser.
        kept = ("noise", "precision", "folding", "landmarks")
        yield from (field.name for field in fields(RegistrationObjective) if field.name not in kept)
        return
    yield from ("noise", "precision")
    if kind != "velocity":
        yield "inverse"
    if kind != "recurrent":
        yield "decay"
    if objective.similarity not in ("ncc", "census"):
        yield "window"
    if objective.similarity != "ncc":
        yield "signed"
    if objective.regulariser != "edge_aware":
        yield "edge_sharpness"


def _idle_of_fusion(config: TrainConfig, settings: dict[str, Any]) -> Idle:
    fusion = config.texture_fusion
    if fusion.alignment not in ("deformable_convolution", "flow_guided_deformable"):
        yield settings, ("alignment_penalty", "offset_rate")
    if fusion.losses.perceptual == 0:
        yield settings["losses"], ("perceptual_network",)
    learning = fusion.metric_learning
    if learning.weight == 0:
        names = [name for name in settings["metric_learning"] if name != "weight"]
        yield settings["metric_learning"], tuple(names)
        return
    yield settings["metric_learning"], ("temperature",) if learning.contrast == "triplet" else ("margin",)
    if learning.positive != "frequency":
        yield settings["metric_learning"], ("cutoff",)
    if "blurred" not in learning.negatives:
        yield settings["metric_learning"], ("blur",)
