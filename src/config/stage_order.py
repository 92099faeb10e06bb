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
)
"""Every stage."""
_FIXED = {"code_predictor": ("vqgan",), "cft": ("vqgan", "code_predictor")}


def upstream_of(config: TrainConfig, stage: str) -> tuple[str, ...]:
    """Stages whose networks the training of `stage` builds on, in the order in which they are trained."""
    detector = ("landmark_detector",) if uses_landmarks(config, stage) and is_rendered(config) else ()
    if stage == "registration":
        return ("cft", *detector)
    if stage == "texture_fusion":
        learned = () if config.registration.method.kind in UNTRAINED_METHODS else ("registration",)
        return ("cft", *detector, *learned, *_guide(config))
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


def _guide(config: TrainConfig) -> tuple[str, ...]:
    """The recogniser of rendered faces, where it is part of the loss."""
    fusion = config.texture_fusion
    learns_by_it = fusion.metric_learning.weight > 0 and fusion.metric_learning.features == "identity"
    return ("recogniser",) if (fusion.identity > 0 or learns_by_it) and is_rendered(config) else ()
