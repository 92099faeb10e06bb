"""The published chain on one image: blur, down-sample, noise, JPEG, resize back, round (codeformer.md 3)."""

from functools import cache

import numpy as np
from jaxtyping import UInt8

from src.degradation import operations
from src.degradation.draw import DRAW_STREAM, NOISE_STREAM, Draw, downsampled_side, draw, keyed_generator
from src.degradation.recipes import load_recipe
from src.settings.degradation import DegradationRecipe


def degrade(
    hq: UInt8[np.ndarray, "h w 3"], recipe: DegradationRecipe | str, *, seed: int, index: int, epoch: int = 0
) -> UInt8[np.ndarray, "h w 3"]:
    """A degraded image of the size of `hq` (RGB): a pure function of the pixels, the recipe and (seed, epoch, index).

    A recipe given by name is read from conf/degradation once a process. The key names the random numbers, not the
    recipe: two recipes with one key differ only by their ranges. Raises ValueError unless `hq` is square and the key
    legal (`keyed_generator`); UserError for an unknown recipe.
    """
    recipe = named_recipe(recipe)
    drawn = draw(recipe, keyed_generator(seed, epoch, index, DRAW_STREAM), square_side(*hq.shape[:2]))
    return apply_draw(hq, recipe, drawn, keyed_generator(seed, epoch, index, NOISE_STREAM))


def apply_draw(
    hq: UInt8[np.ndarray, "h w 3"], recipe: DegradationRecipe, drawn: Draw, noise_rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """The chain with given parameters; `noise_rng` is used only for the noise. Raises ValueError unless square."""
    size = square_side(*hq.shape[:2])
    image = operations.to_float(hq)
    if recipe.blur is not None and drawn.kernel == "isotropic":
        image = operations.blur_isotropic(image, recipe.blur.kernel_size, drawn.sigma_x)
    elif recipe.blur is not None and drawn.kernel == "anisotropic":
        image = operations.blur_anisotropic(image, recipe.blur.kernel_size, drawn.sigma_x, drawn.sigma_y, drawn.angle)
    image = operations.resize(image, downsampled_side(recipe, drawn.factor, size))
    if drawn.noise_std is not None:
        image = operations.add_noise(image, drawn.noise_std, noise_rng)
    levels = image * np.float32(255)
    if drawn.quality is not None:
        levels = operations.jpeg(operations.round_levels(levels), drawn.quality).astype(np.float32)
    # Whole levels, not fractions of 255, are resized back: float32 holds their means exactly, so that a value half-way
    # between two levels is rounded the same way by every implementation.
    return operations.round_levels(operations.resize(levels, size))


def square_side(height: int, width: int) -> int:
    """The side of a square image; raises ValueError otherwise, because the published chain is defined on squares."""
    if height != width:
        raise ValueError(f"the image is {height} x {width} pixels, expected a square; crop or align it first")
    return height


def named_recipe(recipe: DegradationRecipe | str) -> DegradationRecipe:
    """The recipe itself, or the one that a name stands for (read once a process)."""
    return _load_once(recipe) if isinstance(recipe, str) else recipe


@cache
def _load_once(name: str) -> DegradationRecipe:
    return load_recipe(name)
