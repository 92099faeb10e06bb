"""The stages of the training at any side, on networks with random weights: right for speed, no statement about faces."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from unittest import mock

import lpips
import torch
from torch import Tensor

from src.config.compose import compose_train
from src.losses.perceptual import LpipsVggLoss
from src.networks import CodeFormer, LatentAutoencoder, LatentEncoder, PatchDiscriminator, VqAutoencoder
from src.networks.resolution_levels import latent_side
from src.registration.build import build_registration
from src.restorers.branch_recipe import BranchRecipe
from src.settings.commands import TrainConfig
from src.stages.cft import CftStage
from src.stages.code_predictor import CodePredictorStage
from src.stages.diffusion_prior import DiffusionPriorStage
from src.stages.identity_recovery import IdentityRecoveryStage
from src.stages.latent_encoder import LatentEncoderStage
from src.stages.latent_score import LatentScoreStage
from src.stages.latent_vqgan import LatentVqganStage
from src.stages.recogniser import RecogniserStage
from src.stages.registration import RegistrationStage
from src.stages.registration_pair import PairMaker
from src.stages.restoration_backbone import RestorationBackboneStage
from src.stages.stage import Batch, Stage
from src.stages.texture_fusion import FusionLosses, FusionUpstream, TextureFusionStage
from src.stages.vqgan import VqganStage

CODEFORMER = ("vqgan", "code_predictor", "cft")
IDENTITIES = 1000
ALL_TERMS = (
    *("vqgan.losses.adversarial_start=0", "vqgan.codebook.start=uniform", "vqgan.codebook.restart_every=0"),
    *("latent_vqgan.losses.adversarial_start=0", "latent_vqgan.codebook.start=uniform"),
    *("latent_vqgan.codebook.restart_every=0", "cft.image_losses.adversarial_start=0"),
    "cft.phases=[{until: 1000000, image_every: 1, fidelity: 1.0}]",
    *(
        "texture_fusion.losses.adversarial_start=0",
        "texture_fusion.identity=0",
        "texture_fusion.metric_learning.weight=0",
    ),
    *("identity_recovery.identity=0", "guide.network=trained"),
)
"""Every loss whose network is built here acts from the first iteration, and nothing happens at some iterations only."""


@cache
def training_config(stage: str, scale: str, side: int | None, batch: int, *changes: str) -> TrainConfig:
    """The stage's configuration; networks of `scale` whose feature maps are those of faces of `side` pixels."""
    chosen = [f"stage={stage}", f"scale={scale}", f"{stage}.training.batch_size={batch}", *ALL_TERMS, *changes]
    config = compose_train(chosen)
    return config if side in (None, config.scale.image_size) else compose_train([*chosen, *_resized(config, side)])


def _resized(config: TrainConfig, side: int) -> list[str]:
    scale = config.scale
    lists = {
        "autoencoder.attention_sizes": scale.autoencoder.attention_sizes,
        "feature_transformation.coarse_sizes": scale.feature_transformation.coarse_sizes,
        "feature_transformation.all_sizes": scale.feature_transformation.all_sizes,
        "diffusion_unet.attention_sizes": scale.diffusion_unet.attention_sizes,
        "latent_unet.attention_sizes": scale.latent_unet.attention_sizes,
        "latent_unet.image_size": [scale.latent_unet.image_size],
    }
    resized = {name: [size * side // scale.image_size for size in sizes] for name, sizes in lists.items()}
    changes = [f"scale.{name}={sizes if name.endswith('sizes') else sizes[0]}" for name, sizes in resized.items()]
    return [f"scale.autoencoder.image_size={side}", *changes]


def random_stage(config: TrainConfig) -> Stage:
    """The configured stage with random weights, its frozen networks too."""
    torch.manual_seed(0)
    return BUILDERS[config.stage](config)


def random_batch(config: TrainConfig, count: int) -> Batch:
    """A batch of noise with all that the stage may ask for."""
    side = config.scale.image_size
    return {name: torch.rand(count, 3, side, side) * 2 - 1 for name in ("hq", "lq")} | random_targets(config, count)


def random_targets(config: TrainConfig, count: int) -> Batch:
    """What the stream of rendered faces gives beside images, where a stage needs it: labels, and codes as if cached."""
    if config.stage == "recogniser":
        return {"identity": torch.randint(IDENTITIES, (count,))}
    if config.stage in ("code_predictor", "cft"):
        return {"codes": torch.randint(config.scale.autoencoder.codebook_size, (count, _tokens(config)))}
    return {}


def _tokens(config: TrainConfig) -> int:
    return latent_side(config.scale.autoencoder) ** 2


@contextmanager
def without_autocast() -> Iterator[None]:
    """For the meta device, which has none: all that the stages do with autocast is to leave it."""
    with mock.patch("torch.autocast", return_value=nullcontext()):
        yield


def _lpips() -> LpipsVggLoss:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*'pretrained'|.*weight enum", category=UserWarning)
        return LpipsVggLoss(lpips.LPIPS(net="vgg", pretrained=False, pnet_rand=True, verbose=False))


def _code_predictor(config: TrainConfig) -> Stage:
    return CodePredictorStage(
        config.code_predictor, config.scale, vqgan=VqAutoencoder(config.scale.autoencoder), seed=0
    )


def _cft(config: TrainConfig) -> Stage:
    scale = config.scale
    return CftStage(
        config.cft,
        scale,
        vqgan=VqAutoencoder(scale.autoencoder),
        predictor=CodeFormer(scale.autoencoder, scale.code_predictor, fused_sizes=()),
        discriminator=PatchDiscriminator(scale.discriminator),
        perceptual=_lpips(),
        seed=0,
    )


def _pairs(config: TrainConfig) -> PairMaker:
    scale, branches = config.scale, config.branches
    network = CodeFormer(scale.autoencoder, scale.code_predictor, fused_sizes=config.cft.fused_sizes)
    recipe = BranchRecipe(branches.identity_fidelity, branches.generative_fidelity, branches.adain, "codeformer")
    return PairMaker(recipe.maker(network, next(network.parameters()).device), None)


def _registration(config: TrainConfig) -> Stage:
    return RegistrationStage(config.registration, config.scale, pairs=_pairs(config), features=None, seed=0)


def _texture_fusion(config: TrainConfig) -> Stage:
    upstream = FusionUpstream(
        pairs=_pairs(config),
        registration=build_registration(config.registration.method, config.registration.objective, config.scale),
        registration_settings=config.registration,
        files={},
    )
    losses = FusionLosses(_lpips(), None, None, None)
    return TextureFusionStage(config.texture_fusion, config.scale, upstream=upstream, losses=losses, seed=0)


def _latent_autoencoder(config: TrainConfig) -> LatentAutoencoder:
    return LatentAutoencoder(config.scale.latent_autoencoder[config.latent_vqgan.latent])


def _latent_encoder(config: TrainConfig) -> Stage:
    autoencoder = _latent_autoencoder(config)
    return LatentEncoderStage(config.latent_encoder, autoencoder=autoencoder, perceptual=_lpips(), files={}, seed=0)


def _latent_score(config: TrainConfig) -> Stage:
    autoencoder = _latent_autoencoder(config)
    return LatentScoreStage(
        config.latent_score,
        config.scale,
        autoencoder=autoencoder,
        encoder=LatentEncoder(autoencoder.size),
        recovery=None,
        files={},
        seed=0,
    )


BUILDERS: dict[str, Callable[[TrainConfig], Stage]] = {
    "vqgan": lambda config: VqganStage(config.vqgan, config.scale, perceptual=_lpips(), seed=0),
    "code_predictor": _code_predictor,
    "cft": _cft,
    "diffusion_prior": lambda config: DiffusionPriorStage(config.diffusion_prior, config.scale, seed=0),
    "restoration_backbone": lambda config: RestorationBackboneStage(
        config.restoration_backbone, config.scale, perceptual=None, seed=0
    ),
    "registration": _registration,
    "texture_fusion": _texture_fusion,
    "latent_vqgan": lambda config: LatentVqganStage(config.latent_vqgan, config.scale, perceptual=_lpips(), seed=0),
    "latent_encoder": _latent_encoder,
    "latent_score": _latent_score,
    "identity_recovery": lambda config: IdentityRecoveryStage(
        config.identity_recovery, config.scale, guide=None, perceptual=_lpips(), seed=0
    ),
    "recogniser": lambda config: RecogniserStage(config.recogniser, config.scale, identities=IDENTITIES, seed=0),
}
"""The stages that can be timed."""


def moved(batch: Batch, device: torch.device) -> Batch:
    """The batch with its tensors on the device."""
    return {name: value.to(device) if isinstance(value, Tensor) else value for name, value in batch.items()}
