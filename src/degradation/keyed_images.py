"""Images of standard normal numbers, each a function of its key alone: the same in any batch, on any rank and device."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from src.degradation.canvas import to_device
from src.degradation.keyed import SampleKey, keyed_normals, keyed_uniforms
from src.degradation.keyed_tensor import keyed_normals_canvas


def keyed_noise(
    keys: Sequence[SampleKey], stream: int, side: int, device: torch.device
) -> Float32[Tensor, "b 3 side side"]:
    """A field of normal numbers for every key; the CPU's compiled loop and the tensor operations give the same bits.

    Raises ValueError for an illegal key.
    """
    if device.type != "cpu":
        count = len(keys)
        return keyed_normals_canvas(keys, [stream] * count, [side] * count, [3] * count, side, device)
    return keyed_latents(keys, stream, (3, side, side), device)


def keyed_latents(
    keys: Sequence[SampleKey], stream: int, shape: tuple[int, int, int], device: torch.device
) -> Float32[Tensor, "b c h w"]:
    """A field of normal numbers of any shape (channels, height, width) for every key, made on the CPU.

    Three channels and a square give `keyed_noise`. Raises ValueError for an illegal key.
    """
    channels, height, width = shape
    fields = [keyed_normals(key, stream, channels * height * width).reshape(height, width, channels) for key in keys]
    return to_device(torch.from_numpy(np.ascontiguousarray(np.stack(fields).transpose(0, 3, 1, 2))), device)


def keyed_gates(
    keys: Sequence[SampleKey], stream: int, shape: tuple[int, int, int], device: torch.device
) -> Float32[Tensor, "b c h w"]:
    """A field of numbers uniform in (0, 1) of shape (channels, height, width) for every key, made on the CPU.

    Raises ValueError for an illegal key.
    """
    fields = [keyed_uniforms(key, stream, int(np.prod(shape))).reshape(shape) for key in keys]
    # In float32 the least and the greatest of the numbers would round to 0 and 1, whose logit is infinite.
    inside = np.clip(np.stack(fields), 2.0**-24, 1 - 2.0**-24).astype(np.float32)
    return to_device(torch.from_numpy(inside), device)


def keyed_shares(keys: Sequence[SampleKey], stream: int) -> Float64[np.ndarray, "b"]:
    """A number uniform in [0, 1) for every key."""
    return np.array([keyed_uniforms(key, stream, 1)[0] for key in keys])
