"""From the names of a configuration to a restorer."""

from pathlib import Path

import torch
from torch import nn

from src.checkpoints.entries import PUBLISHED_ADAIN
from src.checkpoints.network_file import is_network_file, load_network
from src.checkpoints.published import load_published
from src.networks import CodeFormer, VqAutoencoder
from src.restorers.base import Restorer
from src.restorers.bicubic import BicubicRestorer
from src.restorers.codeformer import CodeFormerRestorer, ColorizationRestorer, InpaintingRestorer
from src.restorers.identity import IdentityRestorer
from src.restorers.knobs import LEARNED, PUBLISHED_FIDELITY, checked_fidelity, checked_kind
from src.restorers.locate import resolve_checkpoint
from src.restorers.precision import EXACT, Precision
from src.restorers.vqgan import VqganRestorer
from src.settings.errors import UserError

__all__ = ["build_restorer", "resolve_checkpoint"]

RESTORER_OF_KIND: dict[str, type[CodeFormerRestorer]] = {
    "codeformer": CodeFormerRestorer,
    "codeformer_colorization": ColorizationRestorer,
    "codeformer_inpainting": InpaintingRestorer,
}


def build_restorer(
    kind: str,
    checkpoint: str,
    fidelity: float | None,
    adain: bool | None,
    device: torch.device,
    precision: Precision = EXACT,
) -> Restorer:
    """The restorer on `device`; `bicubic` and `identity` need no checkpoint and have no knobs.

    `checkpoint` is read as `resolve_checkpoint` says; a file that is not of this suite is taken for a published one.
    `fidelity` and `adain` None take what the published script takes, `adain` first what the checkpoint was trained with.

    Raises:
        UserError: no such restorer; fidelity not in [0, 1]; the checkpoint is missing, damaged or of another kind.
    """
    if checked_kind(kind) not in LEARNED:
        return BicubicRestorer() if kind == "bicubic" else IdentityRestorer()
    if fidelity is not None:
        checked_fidelity(fidelity)
    network, trained_with_adain = _load(resolve_checkpoint(checkpoint, kind), kind)
    network = network.to(device)
    if isinstance(network, VqAutoencoder):
        return VqganRestorer(network, precision)
    assert isinstance(network, CodeFormer)
    return RESTORER_OF_KIND[kind](
        network,
        fidelity=PUBLISHED_FIDELITY[kind] if fidelity is None else fidelity,
        adain=trained_with_adain if adain is None else adain,
        precision=precision,
    )


def _load(path: Path, kind: str) -> tuple[nn.Module, bool]:
    """The network in a file, and whether it is to be run with adain."""
    if not is_network_file(path):
        return load_published(kind, path), PUBLISHED_ADAIN.get(kind, False)
    loaded = load_network(path)
    if loaded.kind != kind and not (loaded.kind == "codeformer" and kind in RESTORER_OF_KIND):
        raise UserError(f"{path}: holds a {loaded.kind}; the restorer {kind} needs {kind} weights")
    return loaded.network, loaded.facts.get("adain") == "true"
