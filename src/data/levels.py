"""Between stored levels 0..255 and network tensors in [-1, 1]."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor


def to_network(image: UInt8[Tensor, "*b 3 h w"]) -> Float[Tensor, "*b 3 h w"]:
    """Levels 0..255 to [-1, 1]."""
    return image.float() / 127.5 - 1.0


def to_levels(image: Float[Tensor, "*b 3 h w"]) -> UInt8[Tensor, "*b 3 h w"]:
    """[-1, 1] (clamped) to rounded levels 0..255: the one conversion that pictures and metrics use."""
    return ((image.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
