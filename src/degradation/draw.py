"""Random numbers of the degradation: keyed generators and the parameters drawn for one image."""

import math
from dataclasses import dataclass
from typing import Literal
from zlib import crc32

import numpy as np
from jaxtyping import Float

from src.settings.degradation import DegradationRecipe

DRAW_STREAM = "degradation"
NOISE_STREAM = "noise"


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Parameters of one degraded image of a given side; None marks a step that is left out."""

    kernel: Literal["isotropic", "anisotropic"] | None
    """Kind of the Gaussian kernel."""
    sigma_x: float
    """Standard deviation along the first axis of the kernel, pixels of the image at hand (0 without blur)."""
    sigma_y: float
    """Standard deviation along the second axis, pixels of the image at hand; equals sigma_x when isotropic."""
    angle: float
    """Direction of the first axis, radians in [-pi, pi]; 0 when isotropic."""
    factor: float | None
    """Down-sampling factor r as published (`downsampled_side` gives the side)."""
    noise_std: float | None
    """Standard deviation of the noise, levels of 255."""
    quality: int | None
    """JPEG quality."""


def keyed_generator(seed: int, epoch: int, index: int, stream: str) -> np.random.Generator:
    """The generator of one sample: a pure function of its key, independent of order, worker and process.

    `stream` names the use ("degradation", "noise", "flip", ...); streams of one sample are independent. Raises
    ValueError when a number is negative or needs more than 32 bits (conventions.md 4).
    """
    numbers = [seed, epoch, index]
    if not all(0 <= number < 2**32 for number in numbers):
        raise ValueError(f"seed, epoch and index are {numbers}, expected whole numbers from 0 to 2**32 - 1")
    return np.random.default_rng(np.random.SeedSequence([*numbers, crc32(stream.encode())]))


def draw(recipe: DegradationRecipe, rng: np.random.Generator, size: int) -> Draw:
    """Parameters for an image of `size` x `size` pixels, uniform in the ranges of the recipe (codeformer.md 3).

    Seven numbers are taken from `rng` whatever the recipe, so recipes that differ in one step agree in the others.
    """
    chance, first, second, turn, shrink, grain, squeeze = rng.random(7).tolist()
    kernel, sigma_x, sigma_y, angle = _draw_kernel(recipe, size, chance, first, second, turn)
    return Draw(
        kernel=kernel,
        sigma_x=sigma_x,
        sigma_y=sigma_y,
        angle=angle,
        factor=None if recipe.downsample is None else _between(recipe.downsample, shrink),
        noise_std=None if recipe.noise is None else _between(recipe.noise, grain),
        quality=None if recipe.jpeg_quality is None else int(_between(recipe.jpeg_quality, squeeze)),
    )


def downsampled_side(recipe: DegradationRecipe, factor: float | None, size: int) -> int:
    """Side in pixels after down-sampling an image of side `size` by the published factor r; at least 1.

    min(size, int(reference // r)), or int(size // r) without a reference size (settings/degradation.py).
    """
    if factor is None:
        return size
    reference = size if recipe.reference_size is None else recipe.reference_size
    return max(1, min(size, int(reference // factor)))


def noise_field(rng: np.random.Generator, side: int) -> Float[np.ndarray, "n n 3"]:
    """Standard normal noise for a `side` x `side` RGB image, float32."""
    return rng.standard_normal((side, side, 3), dtype=np.float32)


def _draw_kernel(
    recipe: DegradationRecipe, size: int, chance: float, first: float, second: float, turn: float
) -> tuple[Literal["isotropic", "anisotropic"] | None, float, float, float]:
    blur = recipe.blur
    if blur is None:
        return None, 0.0, 0.0, 0.0
    scale = 1.0 if recipe.reference_size is None else size / recipe.reference_size
    sigma_x = scale * _between(blur.sigma, first)
    if chance < blur.isotropic_probability:
        return "isotropic", sigma_x, sigma_x, 0.0
    return "anisotropic", sigma_x, scale * _between(blur.sigma, second), math.pi * (2.0 * turn - 1.0)


def _between(limits: list[float], share: float) -> float:
    low, high = limits
    return float(low + (high - low) * share)
