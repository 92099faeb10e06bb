"""Chooses the perceptual network of a training loss from the weights at hand."""

import warnings

from torch import nn

from src.checkpoints.catalogue import find_weights, load_weights
from src.losses.perceptual import LpipsVggLoss, PerceptualLoss, StLpipsLoss
from src.networks.st_lpips import ShiftTolerantLpips


def build_perceptual(network: str, weights_dir: str | None) -> PerceptualLoss | None:
    """The named perceptual loss; `auto` takes lpips_vgg where its trunk is found, else st_lpips, else none with a warning.

    Raises:
        UserError: a network named explicitly has no weights.
    """
    if network == "auto":
        network = _best_available(weights_dir)
    if network == "none":
        return None
    if network == "st_lpips":
        return StLpipsLoss(load_st_lpips(weights_dir))
    return LpipsVggLoss(load_lpips("vgg", weights_dir))


def _best_available(weights_dir: str | None) -> str:
    if find_weights("vgg16", weights_dir):
        return "lpips_vgg"
    if find_weights("st_lpips_alex", weights_dir):
        return "st_lpips"
    warnings.warn(
        "no perceptual network has its weights here; training goes on without a perceptual loss", stacklevel=2
    )
    return "none"


def load_st_lpips(weights_dir: str | None) -> ShiftTolerantLpips:
    """Shift-tolerant LPIPS with its weights."""
    network = ShiftTolerantLpips()
    network.load_state_dict(load_weights("st_lpips_alex", weights_dir))
    return network.eval()


def load_lpips(trunk: str, weights_dir: str | None) -> nn.Module:
    """The lpips package's metric (`alex` or `vgg`, linear weights v0.1), its trunk filled from the torchvision file."""
    from src.metrics.lpips_trunk import lpips_with_trunk

    return lpips_with_trunk(trunk, load_weights({"alex": "alexnet", "vgg": "vgg16"}[trunk], weights_dir))
