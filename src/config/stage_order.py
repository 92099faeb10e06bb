"""Which stages a stage builds on."""

from src.settings.codeformer_plus_plus import LANDMARK_METHODS, UNTRAINED_METHODS
from src.settings.commands import TrainConfig
from src.settings.data import SyntheticFacesSettings

STAGES = (
    "vqgan",
    "code_predictor",
    "cft",
    "recogniser",
    "diffusion_prior",
    "restoration_backbone",
    "landmark_detector",
    "registration",
    "texture_fusion",
    "latent_vqgan",
    "latent_encoder",
    "latent_score",
    "guide_recogniser",
    "identity_recovery",
    "latent_mask",
)
"""Every stage."""
LATENT_STAGES = ("latent_vqgan", "latent_encoder", "latent_score", "latent_mask")
"""Stages that work in the latent that `latent_vqgan.latent` names."""
_FIXED = {
    "code_predictor": ("vqgan",),
    "cft": ("vqgan", "code_predictor"),
    "latent_encoder": ("latent_vqgan",),
}


def upstream_of(config: TrainConfig, stage: str) -> tuple[str, ...]:
    """Stages whose networks the training of `stage` builds on, in the order in which they are trained."""
    detector = ("landmark_detector",) if uses_landmarks(config, stage) and is_rendered(config) else ()
    if stage == "registration":
        return ("cft", *detector)
    if stage == "texture_fusion":
        learned = () if config.registration.method.kind in UNTRAINED_METHODS else ("registration",)
        return ("cft", *detector, *learned, *_trained_guide(config, stage))
    if stage == "latent_score":
        recovery = ("identity_recovery",) if config.latent_score.condition == "degraded_and_recovered" else ()
        return ("latent_vqgan", "latent_encoder", *recovery)
    if stage == "identity_recovery":
        return _trained_guide(config, stage)
    if stage == "latent_mask":
        guide = _trained_guide(config, stage)
        return ("latent_vqgan", "latent_encoder", "latent_score", *guide, "identity_recovery")
    return _FIXED.get(stage, ())


def uses_landmarks(config: TrainConfig, stage: str) -> bool:
    """Whether a stage of CodeFormer++ needs the landmarks of its branches, as far as the settings tell."""
    if stage not in ("registration", "texture_fusion"):
        return False
    in_objective = config.registration.objective.landmarks > 0
    if stage == "registration":
        return in_objective
    fusion, learning = config.texture_fusion, config.texture_fusion.metric_learning
    by_mask = learning.weight > 0 and learning.mask == "landmarks"
    trained_on = fusion.registration_rate > 0 and in_objective
    return config.registration.method.kind in LANDMARK_METHODS or by_mask or trained_on


def is_rendered(config: TrainConfig) -> bool:
    """Rendered faces have networks of this suite where photographs have published ones."""
    return isinstance(config.data, SyntheticFacesSettings)


def is_guided(config: TrainConfig, stage: str) -> bool:
    """Whether a recogniser is part of what a stage learns or is told, or guides its restorations."""
    if stage == "texture_fusion":
        fusion = config.texture_fusion
        return fusion.identity > 0 or _learns_by_identity(config)
    if stage == "identity_recovery":
        return config.identity_recovery.identity > 0 or config.identity_recovery.output == "embedding"
    if stage == "latent_score" and config.latent_score.condition == "degraded_and_recovered":
        return is_guided(config, "identity_recovery")
    return stage == "latent_mask"


def _learns_by_identity(config: TrainConfig) -> bool:
    learning = config.texture_fusion.metric_learning
    return learning.weight > 0 and learning.features == "identity"


def has_trained_guide(config: TrainConfig, stage: str) -> bool:
    """Whether it is, and the recogniser is no published network."""
    return is_guided(config, stage) and config.guide.network == "trained"


def _trained_guide(config: TrainConfig, stage: str) -> tuple[str, ...]:
    return ("guide_recogniser",) if has_trained_guide(config, stage) else ()
