"""Settings and upstream runs become a stage and its training data."""

from dataclasses import asdict
from pathlib import Path
from typing import Protocol, TypeVar, cast

from torch import nn

from src.checkpoints.network_file import load_network
from src.checkpoints.store import StoredRun
from src.data.plan import Always, Clean, DegradationPlan, ImageOrCode, Share
from src.data.source import FaceSource
from src.jobs.build_clr_face import STAGES as CLR_FACE_STAGES
from src.jobs.build_clr_face import build_clr_face_stage, learns_by_perception
from src.jobs.build_codeformer_plus_plus import build_registration_stage, build_texture_fusion_stage
from src.jobs.training_recipes import training_chains
from src.jobs.upstream import Upstreams
from src.losses.perceptual import PerceptualLoss
from src.metrics.perceptual_network import build_perceptual
from src.networks import CodeFormer, PatchDiscriminator, VqAutoencoder
from src.settings.commands import TrainConfig
from src.settings.errors import UserError
from src.stages.cft import CftStage
from src.stages.code_predictor import CodePredictorStage
from src.stages.codeformer_weights import codeformer_sizes
from src.stages.diffusion_prior import DiffusionPriorStage
from src.stages.landmark_detector import LandmarkDetectorStage
from src.stages.recogniser import RecogniserStage, refuse_unlabelled
from src.stages.restoration_backbone import RestorationBackboneStage
from src.stages.stage import Stage
from src.stages.vqgan import VqganStage

Network = TypeVar("Network", bound=nn.Module)


class HasPerceptual(Protocol):
    """Settings with a perceptual distance."""

    perceptual: float
    perceptual_network: str


ALWAYS_DEGRADED = (
    *("code_predictor", "restoration_backbone", "registration", "texture_fusion"),
    *("latent_encoder", "latent_score", "identity_recovery", "latent_mask"),
)
"""Stages whose every training face is degraded, by one recipe."""


def degradation_plan(config: TrainConfig) -> DegradationPlan:
    """How the stage's training faces are degraded."""
    chains = training_chains(config)
    if config.stage in ALWAYS_DEGRADED:
        return Always(chains[0])
    if config.stage == "cft":
        cft = config.cft
        phases = cft.phases if cft.fused_sizes else [phase for phase in cft.phases if phase.image_every == 0]
        return ImageOrCode(phases or cft.phases, *chains)
    if config.stage in ("recogniser", "guide_recogniser", "landmark_detector"):
        return Share(chains[0], getattr(config, config.stage).degraded_share)
    return Clean()


def build_stage(config: TrainConfig, upstreams: Upstreams, source: FaceSource) -> Stage:
    """The stage to train, with its upstream networks loaded.

    Raises:
        UserError: an upstream network has other sizes than the scale, or stage II was trained on another VQGAN.
    """
    seed, scale = config.seed, config.scale
    if config.stage == "vqgan":
        return VqganStage(config.vqgan, scale, perceptual=_perceptual(config), seed=seed)
    if config.stage in ("recogniser", "guide_recogniser"):
        refuse_unlabelled(source)
        return RecogniserStage(getattr(config, config.stage), scale, identities=source.identities, seed=seed)
    if config.stage == "diffusion_prior":
        return DiffusionPriorStage(config.diffusion_prior, scale, seed=seed)
    if config.stage == "restoration_backbone":
        return RestorationBackboneStage(config.restoration_backbone, scale, perceptual=_perceptual(config), seed=seed)
    if config.stage == "landmark_detector":
        return LandmarkDetectorStage(config.landmark_detector, scale, seed=seed)
    if config.stage == "registration":
        return build_registration_stage(config, upstreams)
    if config.stage == "texture_fusion":
        return build_texture_fusion_stage(config, upstreams, _perceptual(config))
    if config.stage in CLR_FACE_STAGES:
        return build_clr_face_stage(config, upstreams, _perceptual(config) if learns_by_perception(config) else None)
    return _codeformer_stage(config, upstreams)


def _codeformer_stage(config: TrainConfig, upstreams: Upstreams) -> Stage:
    """Stages II and III."""
    seed, scale = config.seed, config.scale
    vqgan = _autoencoder(config, upstreams.of("vqgan"))
    if config.stage == "code_predictor":
        return CodePredictorStage(config.code_predictor, scale, vqgan=vqgan, seed=seed)
    return CftStage(
        config.cft,
        scale,
        vqgan=vqgan,
        predictor=_predictor(config, upstreams),
        discriminator=_discriminator(config, upstreams.of("vqgan")),
        perceptual=_perceptual(config),
        seed=seed,
    )


def _perceptual(config: TrainConfig) -> PerceptualLoss | None:
    of_stage: dict[str, HasPerceptual] = {
        "vqgan": config.vqgan.losses,
        "cft": config.cft.image_losses,
        "restoration_backbone": config.restoration_backbone,
        "texture_fusion": config.texture_fusion.losses,
        "latent_vqgan": config.latent_vqgan.losses,
        "latent_encoder": config.latent_encoder,
        "identity_recovery": config.identity_recovery,
        "latent_mask": config.latent_mask,
    }
    losses = of_stage[config.stage]
    return build_perceptual(losses.perceptual_network, config.metrics.weights_dir) if losses.perceptual > 0 else None


def load_fitting(key: str, path: Path, kind: type[Network], expected: dict) -> Network:
    """The network in `path`, checked to be of `kind` and of the `expected` sizes.

    Raises:
        UserError: it is another network or of another scale.
    """
    loaded = load_network(path)
    differing = [name for name, value in expected.items() if loaded.settings.get(name) != value]
    if not isinstance(loaded.network, kind) or differing:
        raise UserError(
            f"{key}: {path} holds a {loaded.kind} whose {', '.join(differing) or 'kind'} differ from the configured scale; "
            "choose the scale that it was trained at, or another upstream"
        )
    return cast(Network, loaded.network)


def _autoencoder(config: TrainConfig, run: StoredRun) -> VqAutoencoder:
    sizes = {"autoencoder": codeformer_sizes(config.scale, ())["autoencoder"]}
    return load_fitting("upstream.vqgan", run.weights_file("vqgan"), VqAutoencoder, sizes)


def _discriminator(config: TrainConfig, run: StoredRun) -> PatchDiscriminator:
    sizes = {"discriminator": asdict(config.scale.discriminator)}
    return load_fitting("upstream.vqgan", run.weights_file("vqgan_discriminator"), PatchDiscriminator, sizes)


def _predictor(config: TrainConfig, upstreams: Upstreams) -> CodeFormer:
    run, vqgan = upstreams.of("code_predictor"), upstreams.of("vqgan")
    trained_on = run.status.facts.get("ingredients", {}).get("vqgan")
    if trained_on != vqgan.status.weights["vqgan"]:
        raise UserError(
            f"upstream.code_predictor: {run.folder} was trained on another VQGAN ({str(trained_on)[:10]}) than "
            f"upstream.vqgan {vqgan.folder} ({vqgan.status.weights['vqgan'][:10]}); choose two that belong together"
        )
    sizes = {name: codeformer_sizes(config.scale, ())[name] for name in ("autoencoder", "code_predictor")}
    return load_fitting("upstream.code_predictor", run.weights_file("codeformer"), CodeFormer, sizes)
