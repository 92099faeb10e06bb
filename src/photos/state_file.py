"""Weights files of networks that other programs trained."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from src.settings.errors import UserError

WEIGHT_KEYS = ("params_ema", "params", "state_dict")
"""Top-level keys under which a file may hold its weights; the first that is there counts."""
DISTRIBUTED_PREFIX = "module."
SHOWN_DIFFERENCES = 3


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file that torch.save wrote, on the CPU, without a leading `module.`; no code in it is run.

    Raises:
        UserError: the file is missing, unreadable, or holds something else.
    """
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such weights file") from error
    except Exception as error:  # a broken file can raise nearly anything inside the unpickler
        reason = (str(error).splitlines() or [""])[0]
        raise UserError(
            f"{path}: not a readable weights file ({type(error).__name__}: {reason[:120]}); fetch it again"
        ) from error
    found = next((loaded[key] for key in WEIGHT_KEYS if key in loaded), loaded) if isinstance(loaded, Mapping) else None
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise UserError(f"{path}: expected a dict of tensors, bare or under one of {', '.join(WEIGHT_KEYS)}")
    return {str(key).removeprefix(DISTRIBUTED_PREFIX): value for key, value in found.items()}


def fill(network: nn.Module, path: Path) -> nn.Module:
    """Give a network, which may be on the meta device, the weights of a file; fp32, in eval mode, on the CPU.

    Raises:
        UserError: what `read_state` raises, or keys or shapes other than the network's.
    """
    expected, state = network.state_dict(), read_state(path)
    differences = [f"{key} is missing" for key in expected if key not in state]
    differences += [f"{key} is unknown" for key in state if key not in expected]
    differences += [
        f"{key} has shape {list(state[key].shape)}, expected {list(tensor.shape)}"
        for key, tensor in expected.items()
        if key in state and state[key].shape != tensor.shape
    ]
    if differences:
        shown = "; ".join(differences[:SHOWN_DIFFERENCES])
        raise UserError(
            f"{path}: not the weights of a {type(network).__name__} of this size "
            f"({len(differences)} differences: {shown})"
        )
    network.load_state_dict({key: state[key].to(tensor.dtype) for key, tensor in expected.items()}, assign=True)
    return network.eval().requires_grad_(False)
