"""The stages of CodeFormer++, with everything that they build on."""

from functools import partial
from pathlib import Path

from torch import nn

from src.checkpoints.catalogue import find_weights, verified_weights
from src.checkpoints.network_file import load_network
from src.config.stage_order import is_rendered, uses_landmarks
from src.jobs.guiding_recogniser import guiding_recogniser
from src.jobs.ranks import training_device
from src.jobs.upstream import Upstreams
from src.losses.identity import IdentityLoss
from src.losses.image_similarity import Features
from src.losses.perceptual import PerceptualLoss
from src.metrics.face_landmarks import DetectedLandmarks, LandmarkFinder, MtcnnLandmarks
from src.metrics.texture_features import build_feature_space
from src.networks.codeformer import CodeFormer
from src.networks.codeformer_branches import CodeFormerBranches
from src.networks.landmark_detector import LandmarkDetector
from src.photos.parsing import build_parser
from src.registration.build import build_registration, registration_settings
from src.restorers.branch_recipe import BRANCHES_FACT, recipe_of_settings
from src.settings.codeformer_plus_plus import FIELDS_OF_METHOD, LANDMARK_METHODS, UNTRAINED_METHODS
from src.settings.commands import TrainConfig
from src.settings.errors import UserError
from src.stages.component_masks import ComponentMasks
from src.stages.registration import RegistrationStage
from src.stages.registration_pair import PairMaker
from src.stages.texture_fusion import FusionLosses, FusionUpstream, TextureFusionStage


def build_registration_stage(config: TrainConfig, upstreams: Upstreams) -> RegistrationStage:
    """Stage `registration`, its branches made by the upstream CodeFormer."""
    return RegistrationStage(
        config.registration,
        config.scale,
        pairs=pair_maker(config, upstreams),
        features=_similarity_features(config),
        seed=config.seed,
    )


def build_texture_fusion_stage(
    config: TrainConfig, upstreams: Upstreams, perceptual: PerceptualLoss | None
) -> TextureFusionStage:
    """Stage `texture_fusion` on its registration, trained or in closed form."""
    recipe = recipe_of_settings(config.branches, config.metrics.weights_dir, config.seed)
    upstream = FusionUpstream(
        pairs=pair_maker(config, upstreams),
        registration=_registration(config, upstreams),
        registration_settings=config.registration,
        files=_files(config, upstreams) | recipe.kept_files,
        facts={BRANCHES_FACT: recipe.as_fact()},
        similarity_features=_similarity_features(config),
    )
    losses = _fusion_losses(config, upstreams, perceptual)
    return TextureFusionStage(config.texture_fusion, config.scale, upstream=upstream, losses=losses, seed=config.seed)


def branch_maker(config: TrainConfig, upstreams: Upstreams) -> CodeFormerBranches:
    """The upstream CodeFormer as the maker of both branches, or of one beside another restorer."""
    network = load_network(upstreams.of("cft").weights_file("codeformer")).network
    assert isinstance(network, CodeFormer)
    recipe = recipe_of_settings(config.branches, config.metrics.weights_dir, config.seed)
    return recipe.maker(network, training_device(config.trainer))


def landmark_finder(config: TrainConfig, upstreams: Upstreams) -> LandmarkFinder:
    """The detector of rendered faces for these, MTCNN for photographs."""
    if not is_rendered(config):
        return MtcnnLandmarks(training_device(config.trainer))
    network = load_network(upstreams.of("landmark_detector").weights_file("landmark_detector")).network
    assert isinstance(network, LandmarkDetector)
    return DetectedLandmarks(network)


def pair_maker(config: TrainConfig, upstreams: Upstreams) -> PairMaker:
    """What makes the branches, with their landmarks where the stage needs them."""
    finder = landmark_finder(config, upstreams) if needs_landmarks(config) else None
    return PairMaker(branch_maker(config, upstreams), finder)


def needs_landmarks(config: TrainConfig) -> bool:
    """Whether the stage needs the landmarks of the branches."""
    by_mask = config.stage == "texture_fusion" and config.texture_fusion.metric_learning.weight > 0
    return uses_landmarks(config, config.stage) or (by_mask and mask_source(config) == "landmarks")


def _registration(config: TrainConfig, upstreams: Upstreams) -> nn.Module:
    settings = config.registration
    if settings.method.kind in UNTRAINED_METHODS:
        return build_registration(settings.method, settings.objective, config.scale)
    path = upstreams.of("registration").weights_file("registration")
    loaded, expected = load_network(path), registration_settings(settings.method, settings.objective, config.scale)
    used = ("kind", *FIELDS_OF_METHOD[settings.method.kind])
    differing = [f"method.{name}" for name in used if loaded.settings["method"].get(name) != expected["method"][name]]
    differing += [] if loaded.settings["size"] == expected["size"] else ["size"]
    if differing:
        raise UserError(
            f"upstream.registration: {path} was trained with another {', '.join(differing)} than this configuration has; "
            "choose the run that belongs to it, or auto"
        )
    return loaded.network


def _files(config: TrainConfig, upstreams: Upstreams) -> dict[str, Path]:
    files = {"codeformer": upstreams.of("cft").weights_file("codeformer")}
    if config.registration.method.kind in LANDMARK_METHODS and is_rendered(config):
        files["landmark_detector"] = upstreams.of("landmark_detector").weights_file("landmark_detector")
    return files


def _similarity_features(config: TrainConfig) -> Features | None:
    if config.registration.objective.similarity != "feature_cosine":
        return None
    return build_feature_space("auto", config.metrics.weights_dir, _no_guide)


def _no_guide() -> IdentityLoss:
    raise AssertionError("the features of a similarity are those of a picture, not of a person")


def _fusion_losses(config: TrainConfig, upstreams: Upstreams, perceptual: PerceptualLoss | None) -> FusionLosses:
    fusion, learning = config.texture_fusion, config.texture_fusion.metric_learning
    guide = partial(guiding_recogniser, config, upstreams)
    identity = guide() if fusion.identity > 0 else None
    if learning.weight == 0:
        return FusionLosses(perceptual, identity, None, None)
    features = build_feature_space(learning.features, config.metrics.weights_dir, guide)
    return FusionLosses(perceptual, identity, features, _masks(config))


def mask_source(config: TrainConfig) -> str:
    """What `texture_fusion.metric_learning.mask` stands for here: exact, parsing or landmarks."""
    chosen = config.texture_fusion.metric_learning.mask
    if chosen != "auto":
        return chosen
    if is_rendered(config):
        return "exact"
    return "parsing" if find_weights("parsenet", config.metrics.weights_dir) else "landmarks"


def _masks(config: TrainConfig) -> ComponentMasks:
    learning = config.texture_fusion.metric_learning
    if mask_source(config) != "parsing":
        return ComponentMasks(learning, None)
    weights = verified_weights("parsenet", config.metrics.weights_dir)
    return ComponentMasks(learning, build_parser(weights, training_device(config.trainer)).classes)
