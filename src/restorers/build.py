"""From the names of a configuration to a restorer."""

from pathlib import Path

import torch
from torch import nn

from src.checkpoints.network_file import load_network
from src.checkpoints.published import load_published
from src.networks import CodeFormer, VqAutoencoder
from src.restorers.base import Restorer
from src.restorers.bicubic import BicubicRestorer
from src.restorers.codeformer import CodeFormerRestorer
from src.restorers.identity import IdentityRestorer
from src.restorers.knobs import LEARNED, checked_fidelity, checked_kind
from src.restorers.locate import resolve_checkpoint
from src.restorers.vqgan import VqganRestorer
from src.settings.errors import UserError

__all__ = ["build_restorer", "resolve_checkpoint"]


def build_restorer(kind: str, checkpoint: str, fidelity: float, adain: bool | None, device: torch.device) -> Restorer:
    """The restorer on `device`; `bicubic` and `identity` need no checkpoint and have no knobs.

    `checkpoint` is read as `resolve_checkpoint` says; a file that does not end in .safetensors is taken for a published
    one. `adain` None takes what the checkpoint was trained with; for a published one True, as its script does
    (codeformer.md 4).

    Raises:
        UserError: no such restorer; fidelity not in [0, 1]; the checkpoint is missing, damaged or of another kind.
    """
    if checked_kind(kind) not in LEARNED:
        return BicubicRestorer() if kind == "bicubic" else IdentityRestorer()
    checked_fidelity(fidelity)
    network, trained_with_adain = _load(resolve_checkpoint(checkpoint, kind), kind)
    network = network.to(device).requires_grad_(False)
    if isinstance(network, CodeFormer):
        return CodeFormerRestorer(network, fidelity=fidelity, adain=trained_with_adain if adain is None else adain)
    assert isinstance(network, VqAutoencoder)
    return VqganRestorer(network)


def _load(path: Path, kind: str) -> tuple[nn.Module, bool]:
    """The network in a file, and whether it was made for adain."""
    if path.suffix != ".safetensors":
        return load_published(kind, path), True
    loaded = load_network(path)
    if loaded.kind != kind:
        raise UserError(f"{path}: holds a {loaded.kind}; the restorer {kind} needs {kind} weights")
    return loaded.network, loaded.facts.get("adain") == "true"
