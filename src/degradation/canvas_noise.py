"""Gaussian noise of a batch, from the numbers of each sample's key."""

from collections.abc import Sequence

import torch

from src.degradation.canvas import Canvas, device_tensor
from src.degradation.drawn import NoiseDraw
from src.degradation.keyed import SampleKey
from src.degradation.keyed_tensor import keyed_normals_canvas


def add_gaussian_noise(
    canvas: Canvas, picks: Sequence[int], draws: Sequence[NoiseDraw], keys: Sequence[SampleKey]
) -> Canvas:
    """The samples `picks`, `keys` one each, with the Gaussian noise of `noise.add_noise`, bit for bit; clipped to 0..255."""
    sides, streams = canvas.sides_of(picks), [drawn.stream for drawn in draws]
    channels = [1 if drawn.grey else 3 for drawn in draws]
    levels = canvas.chosen(picks)
    field = keyed_normals_canvas(keys, streams, sides, channels, levels.shape[-1], canvas.device)
    size = device_tensor([drawn.size for drawn in draws], canvas.device, torch.float32)[:, None, None, None]
    return canvas.replaced(picks, (levels + field.mul_(size)).clamp_(0, 255))
