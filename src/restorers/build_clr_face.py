"""From the files of CLR-Face's networks to its restorers."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from src.checkpoints.clr_face_facts import condition_of, sde_of
from src.checkpoints.network_file import LoadedNetwork, is_network_file, load_network
from src.diffusion.process import build_process
from src.losses.identity import IdentityLoss
from src.networks.identity_recovery import EmbeddingRecovery, IdentityRecovery, identity_recovery
from src.networks.latent_autoencoder import LatentAutoencoder
from src.networks.latent_encoder import LatentEncoder
from src.networks.latent_mask import AdaptiveLatentMask, GlobalLatentMask
from src.networks.latent_score import LatentScoreUnet
from src.networks.mobile_recogniser import MobileRecogniser
from src.networks.recogniser import Recogniser
from src.networks.restoration_unet import RestorationUnet
from src.networks.swinir import SwinIr
from src.restorers.base import Restorer
from src.restorers.clr_face import ClrFaceRestorer
from src.restorers.clr_face_encoder import ClrFaceEncoderRestorer
from src.restorers.clr_face_networks import ClrFaceNetworks
from src.restorers.guide_target import Oracle
from src.restorers.identity_recovery import IdentityRecoveryRestorer
from src.restorers.latent_sampling import LatentSampling
from src.restorers.precision import EXACT, Precision
from src.restorers.published_guide import load_published_guide
from src.settings.errors import UserError
from src.settings.scale import VqAutoencoderSize

Network = TypeVar("Network", bound=nn.Module)
Files = Mapping[str, Path]


def build_clr_face(
    kind: str,
    files: Files,
    sampling: LatentSampling | None,
    device: torch.device,
    precision: Precision = EXACT,
    oracle: Oracle | None = None,
) -> Restorer:
    """The restorer `clr_face`, `clr_face_encoder` or `identity_recovery` on `device`; the first one samples.

    Raises:
        UserError: a file is missing, damaged or holds another network; or as `ClrFaceRestorer`.
    """
    if kind == "clr_face":
        assert sampling is not None
        return ClrFaceRestorer(load_clr_face(files, device), sampling, precision, oracle)
    if kind == "clr_face_encoder":
        encoder, autoencoder = _load(files, "latent_encoder", LatentEncoder), _load_autoencoder(files)
        return ClrFaceEncoderRestorer(encoder.to(device), autoencoder.to(device), precision)
    return IdentityRecoveryRestorer(_load_regressor(files["identity_recovery"]).to(device), precision)


def load_clr_face(files: Files, device: torch.device) -> ClrFaceNetworks:
    """The networks of a trained system, by their names; mask, guide and identity recovery where their files are.

    Raises:
        UserError: another file is missing, one is damaged or holds another network, or they do not belong together.
    """
    autoencoder, encoder = _load_autoencoder(files), _load(files, "latent_encoder", LatentEncoder)
    loaded = load_network(_file(files, "latent_score"))
    score = _of_kind(loaded, LatentScoreUnet, files["latent_score"])
    sde = sde_of(loaded.facts, files["latent_score"])
    sees_recovered = condition_of(loaded.facts, files["latent_score"]) == "degraded_and_recovered"
    recovery, mask, guide = load_recovery(files), _load_mask(files), load_guide(files)
    if sees_recovered and not isinstance(recovery, IdentityRecovery):
        raise UserError(
            f"{files['latent_score']}: is told the recovered face's latent, but identity_recovery.safetensors beside it "
            f"{'is not there' if recovery is None else 'recovers embeddings alone'}; give the run folder as it was written"
        )
    return ClrFaceNetworks(
        autoencoder=autoencoder.to(device),
        encoder=encoder.to(device),
        score=score.to(device),
        process=build_process(sde, _numbers(autoencoder.size)),
        process_name=sde.kind,
        sees_recovered=sees_recovered,
        recovery=None if recovery is None else recovery.to(device),
        mask=None if mask is None else mask.to(device),
        guide=None if guide is None else guide.to(device),
    )


def load_recovery(files: Files) -> IdentityRecovery | EmbeddingRecovery | None:
    """The identity recovery, if its file is there; raises UserError for a file that holds something else."""
    if "identity_recovery" not in files:
        return None
    loaded = load_network(files["identity_recovery"])
    if not isinstance(loaded.network, SwinIr | RestorationUnet | Recogniser):
        raise UserError(f"{files['identity_recovery']}: holds a {loaded.kind}, and an identity recovery is needed")
    return identity_recovery(loaded.network)


def load_guide(files: Files) -> IdentityLoss | None:
    """The recogniser that guides, if its file is there: one of this suite's, or the published one that the mask's file names.

    Raises:
        UserError: the file holds something else, or the mask's file names no published recogniser.
    """
    if "guide" not in files:
        return None
    path = files["guide"]
    if not is_network_file(path):
        return load_published_guide(files)
    loaded = load_network(path)
    if not isinstance(loaded.network, Recogniser | MobileRecogniser):
        raise UserError(f"{path}: holds a {loaded.kind}, and a recogniser is needed")
    return IdentityLoss(loaded.kind, loaded.network, loaded.network)


def _load_autoencoder(files: Files) -> LatentAutoencoder:
    return _load(files, "latent_autoencoder", LatentAutoencoder)


def _load_mask(files: Files) -> GlobalLatentMask | AdaptiveLatentMask | None:
    if "latent_mask" not in files:
        return None
    loaded = load_network(files["latent_mask"])
    if not isinstance(loaded.network, GlobalLatentMask | AdaptiveLatentMask):
        raise UserError(f"{files['latent_mask']}: holds a {loaded.kind}, and a latent mask is needed")
    return loaded.network


def _load_regressor(path: Path) -> SwinIr | RestorationUnet:
    loaded = load_network(path)
    if isinstance(loaded.network, SwinIr | RestorationUnet):
        return loaded.network
    what = "recovers embeddings alone, which are no faces" if loaded.kind == "recogniser" else f"holds a {loaded.kind}"
    raise UserError(f"{path}: {what}; train an identity recovery with identity_recovery.output=image")


def _load(files: Files, name: str, kind: type[Network]) -> Network:
    return _of_kind(load_network(_file(files, name)), kind, files[name])


def _file(files: Files, name: str) -> Path:
    if name not in files:
        folder = next(iter(files.values())).parent
        raise UserError(
            f"checkpoint: {folder} holds no {name}.safetensors, which belongs to the networks of CLR-Face; give the folder "
            "of a finished run as it was written"
        )
    return files[name]


def _of_kind(loaded: LoadedNetwork, kind: type[Network], path: Path) -> Network:
    if not isinstance(loaded.network, kind):
        raise UserError(f"{path}: holds a {loaded.kind}, and a {kind.__name__} is needed")
    return loaded.network


def _numbers(size: VqAutoencoderSize) -> int:
    """Numbers of a latent."""
    side = size.image_size // 2 ** (len(size.multipliers) - 1)
    return size.code_dim * side**2
