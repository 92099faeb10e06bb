"""What the public datasets draw for one face, by their own generators or taken over from draws of the suite."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float32

from src.degradation.drawn import CodecDraw, Draw, GreyDraw, JitterDraw, KernelDraw, NoiseDraw, ResizeDraw, ShiftDraw
from src.degradation.keyed import SampleKey, keyed_normals

SIDE = 512


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """What a dataset draws from, uniformly: blur sigma in pixels, down-sampling factor, noise in levels, JPEG quality."""

    sigma: tuple[float, float]
    factor: tuple[float, float]
    noise: tuple[float, float]
    quality: tuple[float, float]


LARGE = Ranges(sigma=(1, 15), factor=(4, 30), noise=(0, 20), quality=(30, 80))
"""CodeFormer stage II, and the large degradation of stage III."""
SMALL = Ranges(sigma=(0.1, 10), factor=(1, 12), noise=(0, 15), quality=(60, 100))
"""The small degradation of CodeFormer stage III."""
GFPGAN = Ranges(sigma=(0.1, 10), factor=(0.8, 8), noise=(0, 20), quality=(60, 100))
"""GFP-GAN v1."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """One draw of the degradation; kernels have 41 taps a side."""

    sigma_x: float
    sigma_y: float | None
    """None: an isotropic kernel."""
    angle: float
    """Radians."""
    side: int
    """Pixels a side after down-sampling."""
    noise_std: float
    """Levels of 255."""
    quality: int
    noise: Float32[np.ndarray, "n n 3"] | None = None
    """Standard normal numbers, BGR; None draws them inside, as the datasets do."""


@dataclass(frozen=True, kw_only=True)
class Colour:
    """One draw of GFP-GAN's colour changes; nothing by default."""

    shift: Float32[np.ndarray, "3"] | None = None
    """Offsets of the channels, BGR, on the scale 0..1."""
    grey: bool = False
    """Degraded and clean image become grey."""
    jitter: Sequence[tuple[str, float]] = ()
    """brightness, contrast, saturation and hue with their factors, in the order applied."""


def draw(ranges: Ranges, choice: random.Random, numbers: np.random.RandomState, side: int = SIDE) -> Parameters:
    """Parameters of a face of `side` pixels; the noise is left to be drawn inside the chain."""
    isotropic = choice.choices([True, False], [0.5, 0.5])[0]
    sigma_x = numbers.uniform(*ranges.sigma)
    return Parameters(
        sigma_x=sigma_x,
        sigma_y=None if isotropic else numbers.uniform(*ranges.sigma),
        angle=0.0 if isotropic else numbers.uniform(-math.pi, math.pi),
        side=int(side // numbers.uniform(*ranges.factor)),
        noise_std=numbers.uniform(*ranges.noise),
        quality=int(numbers.uniform(*ranges.quality)),
    )


def draw_colour(numbers: np.random.RandomState) -> Colour:
    """GFP-GAN v1: offsets with probability 0.3, grey with 0.01, jitter in random order with 0.3."""
    shift = numbers.uniform(-20 / 255, 20 / 255, 3).astype(np.float32) if numbers.uniform() < 0.3 else None
    grey = bool(numbers.uniform() < 0.01)
    jitter: list[tuple[str, float]] = []
    if numbers.uniform() < 0.3:
        limits = {"brightness": (0.5, 1.5), "contrast": (0.5, 1.5), "saturation": (0, 1.5), "hue": (-0.1, 0.1)}
        jitter = [(name, numbers.uniform(*limits[name])) for name in numbers.permutation(list(limits)).tolist()]
    return Colour(shift=shift, grey=grey, jitter=jitter)


def taken_over(draws: Sequence[Draw], key: SampleKey) -> tuple[Parameters, Colour]:
    """The draws of a published recipe of the suite (one blur, down-sampling, noise and JPEG), its noise included.

    Raises ValueError for draws that the public chain does not have.
    """
    values: dict[str, Any] = {}
    colour = Colour()
    for drawn in draws:
        match drawn:
            case KernelDraw(kind="isotropic"):
                values |= {"sigma_x": drawn.sigma_x, "sigma_y": None, "angle": 0.0}
            case KernelDraw(kind="anisotropic"):
                values |= {"sigma_x": drawn.sigma_x, "sigma_y": drawn.sigma_y, "angle": drawn.angle}
            case ResizeDraw(interpolation="bilinear"):
                # The second one is the way back.
                values.setdefault("side", drawn.side)
            case NoiseDraw(gaussian=True, grey=False):
                values |= {"noise_std": drawn.size, "noise": _field(drawn, key, values["side"])}
            case CodecDraw(codec="jpeg"):
                values["quality"] = drawn.quality
            case ShiftDraw():
                colour = replace(colour, shift=np.array(drawn.offsets[::-1], np.float32) / np.float32(255))
            case GreyDraw(of_target=True):
                colour = replace(colour, grey=True)
            case JitterDraw():
                colour = replace(colour, jitter=drawn.changes)
            case _:
                raise ValueError(f"{drawn}: is not in the public chain")
    return Parameters(**values), colour


def _field(drawn: NoiseDraw, key: SampleKey, side: int) -> Float32[np.ndarray, "n n 3"]:
    rgb = keyed_normals(key, drawn.stream, side * side * 3).reshape(side, side, 3)
    return np.ascontiguousarray(rgb[..., ::-1])
