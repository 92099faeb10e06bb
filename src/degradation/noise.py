"""Noise of one image, from the numbers of its key."""

import math

import numpy as np
from jaxtyping import Float32, UInt8

from src.compiled import kernel
from src.degradation.drawn import NoiseDraw
from src.degradation.keyed import SampleKey, keyed_normals

Levels = Float32[np.ndarray, "n m 3"] | UInt8[np.ndarray, "n m 3"]


def add_noise(levels: Levels, drawn: NoiseDraw, key: SampleKey) -> Float32[np.ndarray, "n m 3"]:
    """Levels 0..255 with Gaussian or Poisson noise, clipped; equal in all channels if grey (arXiv 2107.10833, 3.2)."""
    if drawn.gaussian:
        return _add_gaussian(levels, drawn, key)
    return _add_poisson(np.clip(np.rint(levels), 0, 255), drawn, key)


def _add_gaussian(levels: Levels, drawn: NoiseDraw, key: SampleKey) -> Float32[np.ndarray, "n m 3"]:
    height, width, channels = levels.shape
    channels = 1 if drawn.grey else channels
    field = keyed_normals(key, drawn.stream, height * width * channels).reshape(height, width, channels)
    noisy = np.empty(levels.shape, np.float32)
    _scale_and_add(levels.reshape(-1, 3), field.reshape(-1, channels), np.float32(drawn.size), noisy.reshape(-1, 3))
    return noisy


@kernel
def _scale_and_add(levels: np.ndarray, field: np.ndarray, size: np.float32, out: np.ndarray) -> None:
    low, high = np.float32(0), np.float32(255)
    for i in range(out.shape[0]):
        for c in range(3):
            value = np.float32(levels[i, c]) + size * field[i, c % field.shape[1]]
            out[i, c] = min(max(value, low), high)


def _add_poisson(levels: np.ndarray, drawn: NoiseDraw, key: SampleKey) -> Float32[np.ndarray, "n m 3"]:
    """The count of photons at level 255 is the power of two at or above the number of different levels."""
    seed, epoch, index = key.checked()
    counter = np.random.Philox(key=[(seed << 32) | epoch, (index << 32) | drawn.stream])
    clean = levels / 255
    if drawn.grey:
        clean = np.rint(levels @ [0.299, 0.587, 0.114])[..., None] / 255
    photons = 2 ** math.ceil(math.log2(len(np.unique(clean))))
    noise = np.random.Generator(counter).poisson(clean * photons) / photons - clean
    return np.clip(levels + drawn.size * 255 * noise, 0, 255).astype(np.float32)
