"""Images of standard normal numbers, each a function of its key alone: the same in any batch, on any rank and device."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import Tensor

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
    fields = [keyed_normals(key, stream, 3 * side * side).reshape(side, side, 3) for key in keys]
    return torch.from_numpy(np.ascontiguousarray(np.stack(fields).transpose(0, 3, 1, 2)))


def keyed_shares(keys: Sequence[SampleKey], stream: int) -> Float64[np.ndarray, "b"]:
    """A number uniform in [0, 1) for every key."""
    return np.array([keyed_uniforms(key, stream, 1)[0] for key in keys])
