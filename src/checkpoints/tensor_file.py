"""Weights files of other programs: tensors by key, read without running any code in them."""

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from src.settings.errors import UserError

WEIGHT_KEYS = ("params_ema", "params", "params_d", "state_dict")
"""Top-level keys under which a file may hold its weights; the first that is there counts."""
DISTRIBUTED_PREFIX = "module."
SHOWN_DIFFERENCES = 3


def read_tensor_file(path: Path) -> Mapping[str, Any]:
    """What a safetensors file, or one that torch.save wrote, holds; on the CPU.

    Raises:
        UserError: the file is missing, unreadable, would run code, or holds no mapping.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such weights file")
    try:
        loaded = load_file(path) if path.suffix == ".safetensors" else _unpickled(path)
    except Exception as error:  # a broken file can raise nearly anything inside the unpickler
        raise UserError(f"{path}: not a readable weights file ({_reason(error)})") from error
    if not isinstance(loaded, Mapping):
        raise UserError(f"{path}: holds a {type(loaded).__name__}, expected a dict of tensors")
    return loaded


def bare_state_dict(loaded: Mapping[str, Any], source: str) -> dict[str, Tensor]:
    """The tensors of a file, which may lie under one of `WEIGHT_KEYS`, without a leading `module.` in their keys.

    Raises:
        UserError: something else than tensors is there; names `source`.
    """
    found = next((loaded[key] for key in WEIGHT_KEYS if key in loaded), loaded)
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise UserError(
            f"{source}: expected a dict of tensors, bare or under one of {', '.join(WEIGHT_KEYS)}; "
            f"its top-level keys are {', '.join(map(str, list(loaded)[:5]))}"
        )
    state = {str(key).removeprefix(DISTRIBUTED_PREFIX): value for key, value in found.items()}
    if len(state) < len(found):
        raise UserError(
            f"{source}: holds some keys both with and without a leading {DISTRIBUTED_PREFIX}; keep one of each"
        )
    return state


def fill(network: nn.Module, path: Path) -> nn.Module:
    """Give a network, which may be on the meta device, the weights of a file; fp32, in eval mode, on the CPU.

    Raises:
        UserError: the file cannot be read, or has keys or shapes other than the network's.
    """
    expected, state = network.state_dict(), bare_state_dict(read_tensor_file(path), str(path))
    if differences := tensor_differences(expected, state):
        shown = "; ".join(differences[:SHOWN_DIFFERENCES])
        raise UserError(
            f"{path}: not the weights of a {type(network).__name__} of this size "
            f"({len(differences)} differences: {shown})"
        )
    network.load_state_dict({key: state[key].to(tensor.dtype) for key, tensor in expected.items()}, assign=True)
    return network.eval().requires_grad_(False)


def tensor_differences(expected: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    """What keeps `state` from being loaded in the place of `expected`: missing and unknown keys, other shapes."""
    found = [f"{key} is missing" for key in expected if key not in state]
    found += [f"{key} is unknown" for key in state if key not in expected]
    return found + [
        f"{key} has shape {list(state[key].shape)}, expected {list(tensor.shape)}"
        for key, tensor in expected.items()
        if key in state and state[key].shape != tensor.shape
    ]


def _unpickled(path: Path) -> Any:
    _check_stored(path)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected pickle protocol")
        return torch.load(path, map_location="cpu", weights_only=True)


def _check_stored(path: Path) -> None:
    """torch.save compresses nothing; a compressed member can unpack to any size."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ValueError("its tensors are compressed, as torch.save never does")


def _reason(error: Exception) -> str:
    """What is wrong with a file, and what to do about it."""
    if found := re.search(r"\bGLOBAL (\S+)", str(error)):
        return f"it would call {found[1]} on loading, which is refused; take a file that holds tensors alone"
    said = "no tensors in a torch file" if isinstance(error, UnpicklingError) else f"{error}".split("\n")[0][:120]
    return (
        f"{type(error).__name__}: {said}; it may be truncated or something else: fetch it again and compare its SHA-256"
    )
