"""Between stored levels 0..255 and network tensors in [-1, 1]."""

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from src.compiled import kernel


def to_network(image: UInt8[Tensor, "*b 3 h w"]) -> Float[Tensor, "*b 3 h w"]:
    """Levels 0..255 to [-1, 1]."""
    return image.float() / 127.5 - 1.0


def network_planes(image: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "3 h w"]:
    """`to_network` of a picture as it lies in memory, in one pass on the CPU."""
    height, width, _ = image.shape
    planes = np.empty((3, height, width), np.float32)
    _normalise(np.ascontiguousarray(image).reshape(height, 3 * width), planes)
    return planes


@kernel
def _normalise(rows: np.ndarray, planes: np.ndarray) -> None:
    scale, one = np.float32(127.5), np.float32(1)
    for y in range(rows.shape[0]):
        row, red, green, blue = rows[y], planes[0, y], planes[1, y], planes[2, y]
        for x in range(red.size):
            red[x] = np.float32(row[3 * x]) / scale - one
            green[x] = np.float32(row[3 * x + 1]) / scale - one
            blue[x] = np.float32(row[3 * x + 2]) / scale - one


def to_levels(image: Float[Tensor, "*b 3 h w"]) -> UInt8[Tensor, "*b 3 h w"]:
    """[-1, 1] (clamped) to rounded levels 0..255: the one conversion that pictures and metrics use."""
    return ((image.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
