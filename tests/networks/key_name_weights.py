"""Weights that follow from a tensor's key and shape alone (GOLDEN.md; the same recipe for CodeFormer and DifFace)."""

from zlib import crc32

import numpy as np
import torch
from torch import Tensor


def recipe(key: str, shape: tuple[int, ...]) -> Tensor:
    """Norm scales near 1, biases near 0, and the rest so that activations keep their scale; float32."""
    values = np.random.RandomState(crc32(key.encode())).standard_normal(shape)
    if key.endswith("running_mean"):
        values *= 0.05
    elif key.endswith("running_var"):
        values = 1 + 0.1 * np.abs(values)
    elif len(shape) == 1:
        values = 1 + 0.1 * values if key.endswith("weight") else 0.05 * values
    else:
        values /= np.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(values.astype(np.float32))
