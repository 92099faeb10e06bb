"""The chain on one image, on the CPU. A pure function of the pixels, the recipe and (seed, epoch, index)."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from jaxtyping import Float32, UInt8

from src.degradation.brush_mask import cover
from src.degradation.chain import Chain, chain_of
from src.degradation.codecs import encode_and_decode
from src.degradation.colour import jitter_colours, shift_colours, to_grey
from src.degradation.draw import draw
from src.degradation.drawn import (
    CodecDraw,
    Draw,
    GreyDraw,
    JitterDraw,
    KernelDraw,
    MaskDraw,
    NoiseDraw,
    ResizeDraw,
    ShiftDraw,
)
from src.degradation.filtering import blur, blur_and_resize, resize, resize_to_levels
from src.degradation.keyed import SampleKey
from src.degradation.levels_resize import round_levels
from src.degradation.noise import add_noise
from src.degradation.recipes import load_recipe
from src.settings.degradation import DegradationRecipe

Image = UInt8[np.ndarray, "h w 3"]
Levels = UInt8[np.ndarray, "_ _ 3"] | Float32[np.ndarray, "_ _ 3"]
"""Values 0..255; whole ones, or float32 that are not rounded yet."""


def degrade(hq: Image, recipe: DegradationRecipe | Chain | str, *, seed: int, index: int, epoch: int = 0) -> Image:
    """A degraded image of the size of `hq` (RGB).

    A recipe given by name is read from conf/degradation once a process. The key names the random numbers, not the
    recipe: two recipes with one key differ only by their ranges. Raises ValueError unless `hq` is square and the key
    legal (`SampleKey`); UserError for a recipe that is unknown or cannot be used.
    """
    lq = degrade_pair(hq, named_chain(recipe), SampleKey(seed, epoch, index))[1]
    return lq.copy() if lq is hq else lq


def degrade_pair(hq: Image, chain: Chain, key: SampleKey) -> tuple[Image, Image]:
    """(target, degraded): the target is `hq` itself, unless the recipe changes the clean image too (`grey.of_target`).

    Raises ValueError unless `hq` is square and the key legal.
    """
    return apply_draws(hq, draw(chain, key, square_side(*hq.shape[:2])), key)


def apply_draws(hq: Image, draws: Sequence[Draw], key: SampleKey) -> tuple[Image, Image]:
    """(target, degraded) with given parameters; `key` is used for the noise alone. Raises ValueError unless square."""
    square_side(*hq.shape[:2])
    image: Levels = hq
    steps = list(draws)
    while steps:
        step = steps.pop(0)
        following = steps[0] if steps else None
        if isinstance(step, KernelDraw) and isinstance(following, ResizeDraw):
            image = blur_and_resize(image, step, following)
            steps.pop(0)
        elif isinstance(step, ResizeDraw) and following is None:
            image = resize_to_levels(image, step)
        else:
            image = _apply(image, step, key)
    grey = any(isinstance(step, GreyDraw) and step.of_target for step in draws)
    return (round_levels(to_grey(hq.astype(np.float32))) if grey else hq), round_levels(image)


def _apply(image: Levels, step: Draw, key: SampleKey) -> Levels:
    match step:
        case KernelDraw():
            return blur(image, step)
        case ResizeDraw():
            return resize(image, step)
        case NoiseDraw():
            return add_noise(image, step, key)
        case CodecDraw():
            return encode_and_decode(round_levels(image), step.codec, step.quality)
        case ShiftDraw():
            return shift_colours(_floats(image), step)
        case JitterDraw():
            return jitter_colours(_floats(image), step)
        case GreyDraw():
            return to_grey(_floats(image))
        case MaskDraw():
            return cover(image, step)


def square_side(height: int, width: int) -> int:
    """The side of a square image; raises ValueError otherwise, because the published chain is defined on squares."""
    if height != width:
        raise ValueError(f"the image is {height} x {width} pixels, expected a square; crop or align it first")
    return height


def named_chain(recipe: DegradationRecipe | Chain | str) -> Chain:
    """The chain itself, or the one that a recipe or its name stands for (names are read once a process)."""
    if isinstance(recipe, Chain):
        return recipe
    return _load_once(recipe) if isinstance(recipe, str) else chain_of(recipe)


def _floats(image: Levels) -> Float32[np.ndarray, "h w 3"]:
    return image.astype(np.float32, copy=False)


@cache
def _load_once(name: str) -> Chain:
    return chain_of(load_recipe(name))
