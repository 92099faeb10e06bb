"""The stages of CLR-Face, with everything that they build on."""

from pathlib import Path
from typing import cast

from src.checkpoints.clr_face_facts import sde_of
from src.checkpoints.network_file import load_network
from src.config.stage_order import is_guided
from src.diffusion.noise_level import LatentProcess
from src.diffusion.process import build_process
from src.jobs.guiding_recogniser import guiding_recogniser
from src.jobs.upstream import Upstreams, network_hash
from src.losses.perceptual import PerceptualLoss
from src.networks.identity_recovery import EmbeddingRecovery, IdentityRecovery, identity_recovery
from src.networks.latent_autoencoder import LatentAutoencoder
from src.networks.latent_encoder import LatentEncoder
from src.networks.latent_score import LatentScoreUnet
from src.networks.recogniser import Recogniser
from src.networks.restoration_unet import RestorationUnet
from src.networks.swinir import SwinIr
from src.settings.commands import TrainConfig
from src.settings.errors import UserError
from src.stages.identity_recovery import IdentityRecoveryStage
from src.stages.latent_encoder import LatentEncoderStage
from src.stages.latent_mask import LatentMaskStage
from src.stages.latent_score import LatentScoreStage
from src.stages.latent_vqgan import LatentVqganStage
from src.stages.stage import Stage

STAGES = ("latent_vqgan", "latent_encoder", "latent_score", "identity_recovery", "latent_mask")
"""Stages that `build_clr_face_stage` builds."""


def learns_by_perception(config: TrainConfig) -> bool:
    """Whether a perceptual distance may be part of what the stage minimises."""
    if config.stage == "identity_recovery":
        return config.identity_recovery.output == "image"
    if config.stage == "latent_mask":
        return config.latent_mask.objective == "guidance_gain"
    return config.stage != "latent_score"


def build_clr_face_stage(config: TrainConfig, upstreams: Upstreams, perceptual: PerceptualLoss | None) -> Stage:
    """The stage with its upstream networks loaded.

    Raises:
        UserError: an upstream network belongs to another autoencoder, or its weights are damaged.
    """
    seed, scale = config.seed, config.scale
    if config.stage == "latent_vqgan":
        return LatentVqganStage(config.latent_vqgan, scale, perceptual=perceptual, seed=seed)
    if config.stage == "identity_recovery":
        guide = guiding_recogniser(config, upstreams) if is_guided(config, config.stage) else None
        return IdentityRecoveryStage(config.identity_recovery, scale, guide=guide, perceptual=perceptual, seed=seed)
    autoencoder = load_autoencoder(upstreams)
    if config.stage == "latent_encoder":
        files = _files(upstreams, "latent_vqgan")
        return LatentEncoderStage(
            config.latent_encoder, autoencoder=autoencoder, perceptual=perceptual, files=files, seed=seed
        )
    if config.stage == "latent_score":
        return _latent_score(config, upstreams, autoencoder)
    return _latent_mask(config, upstreams, autoencoder, perceptual)


def load_autoencoder(upstreams: Upstreams) -> LatentAutoencoder:
    """The upstream autoencoder with its latents' statistics."""
    return cast(
        LatentAutoencoder, load_network(upstreams.of("latent_vqgan").weights_file("latent_autoencoder")).network
    )


def load_encoder(upstreams: Upstreams) -> LatentEncoder:
    """The upstream encoder of degraded faces.

    Raises:
        UserError: it was trained on another autoencoder.
    """
    _refuse_other(upstreams, "latent_encoder", "latent_vqgan")
    return cast(LatentEncoder, load_network(upstreams.of("latent_encoder").weights_file("latent_encoder")).network)


def load_recovery(upstreams: Upstreams) -> IdentityRecovery | EmbeddingRecovery:
    """The upstream identity recovery."""
    return load_regressor(upstreams.of("identity_recovery").weights_file("identity_recovery"))


def load_regressor(path: Path) -> IdentityRecovery | EmbeddingRecovery:
    """The identity recovery in a file."""
    network = load_network(path).network
    assert isinstance(network, SwinIr | RestorationUnet | Recogniser)
    return identity_recovery(network)


def _latent_score(config: TrainConfig, upstreams: Upstreams, autoencoder: LatentAutoencoder) -> LatentScoreStage:
    recovered = config.latent_score.condition == "degraded_and_recovered"
    recovery = load_recovery(upstreams) if recovered else None
    names = ("latent_vqgan", "latent_encoder", *(("identity_recovery",) if recovered else ()))
    return LatentScoreStage(
        config.latent_score,
        config.scale,
        autoencoder=autoencoder,
        encoder=load_encoder(upstreams),
        recovery=cast(IdentityRecovery | None, recovery),
        files=_files(upstreams, *names),
        seed=config.seed,
    )


def _latent_mask(
    config: TrainConfig, upstreams: Upstreams, autoencoder: LatentAutoencoder, perceptual: PerceptualLoss | None
) -> LatentMaskStage:
    score, process = _score(upstreams, autoencoder)
    guide = guiding_recogniser(config, upstreams)
    names = ("latent_vqgan", "latent_encoder", "latent_score", "identity_recovery")
    files = _files(upstreams, *names)
    if config.guide.network == "trained":
        files["guide"] = upstreams.of("guide_recogniser").weights_file("guide_recogniser")
    return LatentMaskStage(
        config.latent_mask,
        config.scale,
        autoencoder=autoencoder,
        encoder=load_encoder(upstreams),
        score=score,
        process=process,
        guide=guide,
        recovery=load_recovery(upstreams),
        perceptual=perceptual,
        files=files,
        seed=config.seed,
    )


def _score(upstreams: Upstreams, autoencoder: LatentAutoencoder) -> tuple[LatentScoreUnet, LatentProcess]:
    for stage in ("latent_vqgan", "latent_encoder"):
        _refuse_other(upstreams, "latent_score", stage)
    path = upstreams.of("latent_score").weights_file("latent_score")
    loaded = load_network(path)
    network = cast(LatentScoreUnet, loaded.network)
    side = autoencoder.size.image_size // 2 ** (len(autoencoder.size.multipliers) - 1)
    return network, build_process(sde_of(loaded.facts, path), autoencoder.size.code_dim * side**2)


def _files(upstreams: Upstreams, *stages: str) -> dict[str, Path]:
    names = {stage: "latent_autoencoder" if stage == "latent_vqgan" else stage for stage in stages}
    return {name: upstreams.of(stage).weights_file(name) for stage, name in names.items()}


def _refuse_other(upstreams: Upstreams, stage: str, built_on: str) -> None:
    """Raise if a named run of `stage` was not built on the network of `built_on` that this run uses."""
    run, wanted = upstreams.of(stage), upstreams.of(built_on)
    trained_on = run.status.facts.get("ingredients", {}).get(built_on)
    if trained_on != network_hash(wanted):
        raise UserError(
            f"upstream.{stage}: {run.folder} was trained on another {built_on} ({str(trained_on)[:10]}) than "
            f"upstream.{built_on} {wanted.folder} ({network_hash(wanted)[:10]}); choose two that belong together"
        )
