"""The device that a command computes on."""

import torch

from src.settings.errors import UserError


def torch_device(name: str) -> torch.device:
    """The device called `cpu`, `cuda` or `auto` (cuda where there is one).

    Raises:
        UserError: cuda is asked for and absent.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UserError("device: cuda was asked for, but torch finds no CUDA device; take device=cpu or auto")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and available) else "cpu")
