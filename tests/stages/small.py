"""Settings and faces small enough to train a stage in a second."""

import copy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from src.config.compose import compose_train
from src.config.stage_order import STAGES
from src.data.damage import Stop
from src.data.datamodule import FaceDataModule
from src.data.training_set import DegradedFaces, Sampling
from src.jobs.build_stage import degradation_plan
from src.metric_learning.feature_space import PixelSpace
from src.networks import CodeFormer, PatchDiscriminator, VqAutoencoder
from src.registration.build import build_registration
from src.restorers.branch_recipe import BRANCHES_FACT, BranchRecipe
from src.settings.commands import TrainConfig
from src.stages.cft import CftStage
from src.stages.code_predictor import CodePredictorStage
from src.stages.component_masks import ComponentMasks
from src.stages.diffusion_prior import DiffusionPriorStage
from src.stages.landmark_detector import LandmarkDetectorStage
from src.stages.recogniser import RecogniserStage
from src.stages.registration import RegistrationStage
from src.stages.registration_pair import PairMaker
from src.stages.restoration_backbone import RestorationBackboneStage
from src.stages.stage import Batch, Stage
from src.stages.texture_fusion import FusionLosses, FusionUpstream, TextureFusionStage
from src.stages.vqgan import VqganStage

TESTED_APART = ("latent_vqgan", "latent_encoder", "latent_score", "identity_recovery", "latent_mask")
"""Stages of CLR-Face, which `small_latent` and `small_clr_face` build."""
TRAINED_HERE = [stage for stage in STAGES if stage not in TESTED_APART]
"""Stages that `small_stage` builds."""
VARIANTS = {
    **{stage: (stage,) for stage in TRAINED_HERE},
    "importance": (
        "diffusion_prior",
        "diffusion_prior.timestep_sampling=importance",
        "diffusion_prior.process={steps: 2, schedule: cosine}",
        "diffusion_prior.sample_steps=1",
        "diffusion_prior.training.batch_size=8",
    ),
    "srcnn": ("restoration_backbone", "restoration_backbone.architecture=srcnn"),
    "probabilistic": ("registration", "registration.method.kind=probabilistic_velocity"),
    "joint": (
        "texture_fusion",
        "texture_fusion.registration_rate=0.1",
        "texture_fusion.alignment=flow_guided_deformable",
        "texture_fusion.metric_learning.weight=0.1",
        "texture_fusion.metric_learning.features=pixels",
    ),
}
"""Ways to train each stage: its name and overrides. So few timesteps that importance sampling leaves its uniform start."""

OVERRIDES = [
    "scale.autoencoder.image_size=32",
    "scale.autoencoder.width=8",
    "scale.autoencoder.multipliers=[1,2,2]",
    "scale.autoencoder.codebook_size=32",
    "scale.autoencoder.code_dim=8",
    "scale.autoencoder.norm_groups=4",
    "scale.code_predictor.dim=16",
    "scale.code_predictor.heads=2",
    "scale.code_predictor.layers=1",
    "scale.discriminator.width=8",
    "scale.discriminator.layers=2",
    "scale.recogniser.width=8",
    "scale.recogniser.input_size=32",
    "scale.mobile_recogniser.width=8",
    "scale.mobile_recogniser.input_size=32",
    "scale.landmark_detector.width=8",
    "scale.landmark_detector.input_size=32",
    "scale.diffusion_unet.width=8",
    "scale.diffusion_unet.multipliers=[1,2,2]",
    "scale.diffusion_unet.residual_blocks=[1,1,1]",
    "scale.diffusion_unet.attention_sizes=[8]",
    "scale.diffusion_unet.head_width=8",
    "scale.diffusion_unet.norm_groups=4",
    "scale.swinir.downscale=2",
    "scale.swinir.width=12",
    "scale.swinir.heads=[2,3]",
    "scale.swinir.window=4",
    "scale.swinir.up_width=8",
    "scale.swinir.drop_path=0.5",
    "scale.srcnn.width=8",
    "scale.srcnn.depth=3",
    "scale.dense_registration.encoder_widths=[8,8]",
    "scale.dense_registration.decoder_widths=[8,8]",
    "scale.dense_registration.final_widths=[8]",
    "scale.texture_fusion.widths=[8,16]",
    "scale.texture_fusion.bottleneck_blocks=1",
    "scale.texture_fusion.norm_groups=4",
    "scale.texture_fusion.reduction=4",
    "texture_fusion.losses.adversarial_start=2",
    "texture_fusion.losses.perceptual=0",
    "texture_fusion.identity=0",
    "texture_fusion.metric_learning.weight=0",
    "vqgan.losses.adversarial_start=2",
    "vqgan.losses.perceptual=0",
    "vqgan.codebook.window=2",
    "vqgan.codebook.restart_every=2",
    "cft.image_losses.adversarial_start=2",
    "cft.image_losses.perceptual=0",
    "cft.fused_sizes=[16]",
    "cft.training_fidelity=sampled",
    "cft.phases=[{until: 4, image_every: 1, fidelity: 1.0}, {until: 100, image_every: 2, fidelity: 1.3}]",
    "diffusion_prior.sample_steps=3",
    "diffusion_prior.training.learning_rate.warmup=0",
    *(f"{stage}.training.batch_size=4" for stage in STAGES),
]


class RandomFaces:
    """Coloured noise at 32 px: the stages' mechanics do not care what they see."""

    size, identities = 32, 4

    def __init__(self, count: int = 10) -> None:
        self._images = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), np.uint8)

    def __len__(self) -> int:
        return len(self._images)

    def image(self, index: int) -> np.ndarray:
        return self._images[index]

    def name(self, index: int) -> str:
        return f"face_{index}"

    def identity(self, index: int) -> int:
        return index % self.identities

    def landmarks(self, index: int) -> None:
        return None

    def fingerprint(self) -> str:
        return "0" * 64

    def truth(self) -> "RandomTruth":
        return RandomTruth()


class RandomTruth:
    """Landmarks anywhere, and part maps of noise."""

    def landmarks68(self, index: int) -> np.ndarray:
        return np.random.default_rng(index).uniform(2, 30, (68, 2)).astype(np.float32)

    def parts(self, index: int) -> np.ndarray:
        return np.random.default_rng(index).integers(0, 13, (32, 32), np.uint8)


def small_config(variant: str, iterations: int = 6, *changes: str) -> TrainConfig:
    """Configuration of one of `VARIANTS`, or of any stage, that trains for `iterations` small batches."""
    stage, *own = VARIANTS.get(variant, (variant,))
    lengths = [f"{name}.training.iterations={iterations}" for name in STAGES]
    return copy.deepcopy(_composed((*OVERRIDES, *lengths, f"stage={stage}", *own, *changes)))


@cache
def _composed(overrides: tuple[str, ...]) -> TrainConfig:
    """Composing takes half a second, and tests ask for the same again and again."""
    return compose_train(overrides)


def small_stage(config: TrainConfig) -> Stage:
    """The configured stage with freshly initialised upstream networks."""
    if config.stage in ("registration", "texture_fusion"):
        return plus_plus_stage(config)
    pl.seed_everything(0, verbose=False)
    scale = config.scale
    vqgan = VqAutoencoder(scale.autoencoder)
    if config.stage == "vqgan":
        return VqganStage(config.vqgan, scale, perceptual=None, seed=0)
    if config.stage in ("recogniser", "guide_recogniser"):
        return RecogniserStage(getattr(config, config.stage), scale, identities=4, seed=0)
    if config.stage == "landmark_detector":
        return LandmarkDetectorStage(config.landmark_detector, scale, seed=0)
    if config.stage == "diffusion_prior":
        return DiffusionPriorStage(config.diffusion_prior, scale, seed=0)
    if config.stage == "restoration_backbone":
        return RestorationBackboneStage(config.restoration_backbone, scale, perceptual=None, seed=0)
    if config.stage == "code_predictor":
        return CodePredictorStage(config.code_predictor, scale, vqgan=vqgan, seed=0)
    predictor = CodeFormer(scale.autoencoder, scale.code_predictor, fused_sizes=())
    predictor.load_autoencoder(vqgan)
    critic = PatchDiscriminator(scale.discriminator)
    return CftStage(config.cft, scale, vqgan=vqgan, predictor=predictor, discriminator=critic, perceptual=None, seed=0)


def plus_plus_stage(
    config: TrainConfig, files: dict[str, Path] | None = None
) -> RegistrationStage | TextureFusionStage:
    """A stage of CodeFormer++ on a CodeFormer with random weights; `files` are copied beside what it saves."""
    pl.seed_everything(0, verbose=False)
    scale, branches = config.scale, config.branches
    network = CodeFormer(scale.autoencoder, scale.code_predictor, fused_sizes=config.cft.fused_sizes)
    recipe = BranchRecipe(branches.identity_fidelity, branches.generative_fidelity, branches.adain, "codeformer")
    pairs = PairMaker(recipe.maker(network, torch.device("cpu")), None)
    if config.stage == "registration":
        return RegistrationStage(config.registration, scale, pairs=pairs, features=None, seed=0)
    registration, learning = config.registration, config.texture_fusion.metric_learning
    upstream = FusionUpstream(
        pairs=pairs,
        registration=build_registration(registration.method, registration.objective, scale),
        registration_settings=registration,
        files=files or {},
        facts={BRANCHES_FACT: recipe.as_fact()},
    )
    learns = learning.weight > 0
    losses = FusionLosses(
        None, None, PixelSpace() if learns else None, ComponentMasks(learning, None) if learns else None
    )
    return TextureFusionStage(config.texture_fusion, scale, upstream=upstream, losses=losses, seed=0)


def small_data(config: TrainConfig, source: RandomFaces | None = None) -> FaceDataModule:
    """The stage's stream over random faces."""
    training = getattr(config, config.stage).training
    sampling = Sampling(0, 0.5, Stop(), ("landmarks",) if config.stage == "landmark_detector" else ())
    faces = DegradedFaces(source or RandomFaces(), degradation_plan(config), sampling)
    return FaceDataModule(
        faces, batch_size=training.batch_size, iterations=training.iterations, seed=0, workers=0, channels_last=False
    )


def small_batch(config: TrainConfig) -> Batch:
    """The first batch of the stage's stream."""
    data = small_data(config)
    return data.on_after_batch_transfer(next(iter(data.loader(start=0, rank=0, world_size=1))), 0)


class Terms(pl.Callback):
    """Keeps the terms of every iteration."""

    def __init__(self) -> None:
        self.of_iteration: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        assert isinstance(pl_module, Stage)
        self.of_iteration.append({name: value.item() for name, value in pl_module.scalars.items()})


def small_trainer(folder: Path, *callbacks: pl.Callback, **changes: object) -> pl.Trainer:
    """A silent trainer of one pass."""
    silent = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
    }
    return pl.Trainer(
        accelerator="cpu", max_epochs=1, default_root_dir=folder, callbacks=list(callbacks), **silent | changes
    )
