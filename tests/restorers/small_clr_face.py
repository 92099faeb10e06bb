"""CLR-Face with small networks of random weights, in memory and in the files of a run."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from src.checkpoints.clr_face_facts import score_facts
from src.checkpoints.network_file import save_network
from src.diffusion.process import build_process
from src.guidance.guidance import Guidance
from src.losses.identity import IdentityLoss
from src.networks.identity_recovery import IdentityRecovery
from src.networks.latent_autoencoder import LatentAutoencoder
from src.networks.latent_encoder import LatentEncoder
from src.networks.latent_mask import AdaptiveLatentMask, GlobalLatentMask
from src.networks.latent_score import LatentScoreUnet
from src.networks.mobile_recogniser import MobileRecogniser
from src.networks.restoration_unet import RestorationUnet
from src.restorers.clr_face import ClrFaceRestorer
from src.restorers.clr_face_networks import ClrFaceNetworks
from src.restorers.guide_target import Oracle
from src.restorers.latent_sampling import UNGUIDED, LatentSampling
from src.restorers.precision import EXACT, Precision
from src.settings.clr_face import SdeSettings
from src.settings.scale import (
    DiffusionUnetSize,
    LatentMaskSize,
    MobileRecogniserSize,
    RestorationUnetSize,
    VqAutoencoderSize,
)

SIDE, LATENT_SIDE, CHANNELS = 16, 4, 3
AUTOENCODER = VqAutoencoderSize(
    image_size=SIDE,
    width=8,
    multipliers=[1, 2, 2],
    residual_blocks=1,
    attention_sizes=[],
    norm_groups=4,
    codebook_size=32,
    code_dim=CHANNELS,
)
UNET = DiffusionUnetSize(
    image_size=LATENT_SIDE,
    width=8,
    multipliers=[1, 2],
    residual_blocks=[1, 1],
    attention_sizes=[2],
    head_width=8,
    norm_groups=4,
)
RECOVERY = RestorationUnetSize(widths=[8, 8], residual_blocks=1, norm_groups=4)
GUIDE = MobileRecogniserSize(input_size=SIDE, width=4, expansion=2, repeats=1, embedding_dim=8)
MASK = LatentMaskSize(width=4, layers=2)
SDE = SdeSettings(
    kind="vp",
    beta_min=0.1,
    beta_max=20.0,
    smallest_time=1e-3,
    sigma_min=0.01,
    sigma_max=None,
    steps=1000,
    first_beta=0.0015,
    last_beta=0.0195,
)
SETTINGS = {
    "latent_autoencoder": {"autoencoder": asdict(AUTOENCODER)},
    "latent_encoder": {"autoencoder": asdict(AUTOENCODER)},
    "restoration_unet": {"restoration_unet": asdict(RECOVERY)},
    "mobile_recogniser": {"mobile_recogniser": asdict(GUIDE)},
}
"""Of the weights files, by kind of network."""
ALWAYS = {"window": (0, 1)}
"""Guidance of every evaluation: random networks have no early and late."""


def faces(count: int = 3, side: int = SIDE) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1


def guidance(**changes: object) -> Guidance:
    fields = {name: getattr(UNGUIDED, name) for name in UNGUIDED.__dataclass_fields__}
    return Guidance(**(fields | {"scale": 0.3} | ALWAYS | changes))


def sampling(**changes: object) -> LatentSampling:
    defaults = {"solver": "dpm_solver_pp", "start": 1.0, "steps": 3, "eta": None, "guidance": UNGUIDED, "seed": 0}
    return LatentSampling(**(defaults | changes))


def guided(**changes: object) -> LatentSampling:
    return sampling(guidance=guidance(**changes))


def small_networks(sde: SdeSettings = SDE, mask: str = "global", sees_recovered: bool = False) -> ClrFaceNetworks:
    torch.manual_seed(0)
    autoencoder = LatentAutoencoder(AUTOENCODER)
    # Codes all over the latent space, so that what changes a latent changes its face.
    nn.init.normal_(autoencoder.quantize.embedding.weight, std=0.5)
    autoencoder.set_statistics(torch.tensor([0.1, -0.1, 0.0]), torch.tensor([0.5, 0.4, 0.6]))
    condition = CHANNELS * (2 if sees_recovered else 1)
    encoder, score = LatentEncoder(AUTOENCODER), LatentScoreUnet(UNET, CHANNELS, condition)
    encoder.set_statistics(autoencoder.latent_mean, autoencoder.latent_deviation)
    recogniser = MobileRecogniser(GUIDE)
    networks = ClrFaceNetworks(
        autoencoder=autoencoder,
        encoder=encoder,
        score=score,
        process=build_process(sde, CHANNELS * LATENT_SIDE**2),
        process_name=sde.kind,
        sees_recovered=sees_recovered,
        recovery=IdentityRecovery(RestorationUnet(RECOVERY)),
        mask=_mask(mask),
        guide=IdentityLoss("mobile_recogniser", recogniser, recogniser),
    )
    for module in (networks.score, networks.recovery, networks.mask, encoder):
        _spread(module)
    return networks


def _mask(kind: str) -> GlobalLatentMask | AdaptiveLatentMask:
    if kind == "adaptive":
        return AdaptiveLatentMask(MASK, CHANNELS, 1.0, 0.5)
    return GlobalLatentMask(CHANNELS, LATENT_SIDE, 1.0, 0.5)


def _spread(module: nn.Module | None) -> None:
    """No layer is zero and no mask flat, unlike at the start of a training."""
    assert module is not None
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.2)
    module.eval()


def clr_face(
    chosen: LatentSampling,
    networks: ClrFaceNetworks | None = None,
    precision: Precision = EXACT,
    oracle: Oracle | None = None,
) -> ClrFaceRestorer:
    return ClrFaceRestorer(networks or small_networks(), chosen, precision, oracle)


def save_run(folder: Path, names: Sequence[str] = (), **changes: object) -> Path:
    """Run folder of latent_mask, or one with the networks of these names alone."""
    networks = small_networks(**changes)
    assert isinstance(networks.recovery, IdentityRecovery)
    assert networks.guide is not None
    score = {
        "latent_unet": asdict(UNET),
        "latent_channels": CHANNELS,
        "condition_channels": networks.score.condition_channels,
    }
    mask = {"channels": CHANNELS, "side": LATENT_SIDE, "temperature": 1.0, "initial": 0.5, "latent_mask": asdict(MASK)}
    mask["kind"] = "adaptive" if isinstance(networks.mask, AdaptiveLatentMask) else "global"
    condition = "degraded_and_recovered" if networks.sees_recovered else "degraded"
    facts = score_facts(changes.get("sde", SDE), condition)
    entries = {
        "latent_score": ("latent_score", networks.score, score, facts),
        "latent_mask": ("latent_mask", networks.mask, mask, {}),
        "identity_recovery": _entry("restoration_unet", networks.recovery.network),
        "guide": _entry("mobile_recogniser", networks.guide.network),
        "latent_autoencoder": _entry("latent_autoencoder", networks.autoencoder),
        "latent_encoder": _entry("latent_encoder", networks.encoder),
    }
    for name in names or entries:
        kind, network, settings, known = entries[name]
        save_network(folder / "weights" / f"{name}.safetensors", kind, network, settings, known)
    return folder


def _entry(kind: str, network: nn.Module) -> tuple[str, nn.Module, dict, dict[str, str]]:
    return kind, network, SETTINGS[kind], {}
