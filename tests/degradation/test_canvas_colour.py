"""Colour changes and noise of a batch equal those on single images."""

from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
import torch

from src.degradation.canvas import Canvas
from src.degradation.canvas_colour import grey_canvas, jitter_canvas, shift_canvas
from src.degradation.canvas_noise import add_gaussian_noise
from src.degradation.colour import jitter_colours, shift_colours, to_grey
from src.degradation.drawn import JitterDraw, NoiseDraw, ShiftDraw
from src.degradation.keyed import SampleKey
from src.degradation.noise import add_noise

NAMES = ("brightness", "contrast", "saturation", "hue")
SIDES = tuple([1, 2, 9, 40, 33, 17] * 5)
PICKS = [place for place in range(len(SIDES)) if place % 7 != 3]
ORDERS = list(permutations(NAMES))


def canvas() -> Canvas:
    """Random colours; the largest planes begin with black, white, pure and equal channels. Beyond the samples: 10^9."""
    levels = np.full((len(SIDES), 3, 40, 40), 1e9, np.float32)
    rng = np.random.default_rng(0)
    for plane, side in zip(levels, SIDES, strict=True):
        plane[:, :side, :side] = rng.uniform(-1, 256, (3, side, side))
        if side > 9:
            plane[:, 0, :6] = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [7, 7, 7]]).T
            plane[:, 1, :6] = np.array([[9, 9, 0], [0, 9, 9], [9, 0, 9], [9, 9, 3], [3, 9, 9], [9, 3, 9]]).T
    return Canvas(torch.from_numpy(levels), SIDES)


def sample(levels: torch.Tensor, side: int) -> np.ndarray:
    return np.ascontiguousarray(levels[:, :side, :side].permute(1, 2, 0).numpy())


def check(changed: Canvas, one: Callable[[np.ndarray, int], np.ndarray], tolerance: float = 0.0) -> None:
    """`one` gives the expected levels from those of a sample and its place in PICKS; other samples stay as they are."""
    before = canvas()
    for place, side in enumerate(SIDES):
        expected = sample(before.levels[place], side)
        if place in PICKS:
            expected = one(expected, PICKS.index(place))
        found = sample(changed.levels[place], side)
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance, err_msg=f"sample {place}, side {side}")


def test_noise_has_the_same_bits() -> None:
    draws = [NoiseDraw(stream=100 + i, gaussian=True, size=1.37 * i, grey=i % 3 == 0) for i in range(len(PICKS))]
    keys = [SampleKey(i % 4, 2, i * i) for i in range(len(PICKS))]
    noisy = add_gaussian_noise(canvas(), PICKS, draws, keys)
    check(noisy, lambda levels, i: add_noise(levels, draws[i], keys[i]))


def test_shift_and_grey_have_the_same_bits() -> None:
    draws = [ShiftDraw(offsets=(20.0 - i, 0.3 * i, -3.0 * i)) for i in range(len(PICKS))]
    check(shift_canvas(canvas(), PICKS, draws), lambda levels, i: shift_colours(levels, draws[i]))
    check(grey_canvas(canvas(), PICKS), lambda levels, i: to_grey(levels))


@pytest.mark.parametrize(
    "amounts", [(1.4, 0.6, 1.5, 0.08), (0.5, 1.5, 0.0, -0.5), (1.0, 1.0, 1.0, 0.0), (0.9, 0.0, 9.0, 0.34)]
)
def test_jitter_in_every_order(amounts: tuple[float, ...]) -> None:
    """Up to the last bits of the mean luma, which large factors enlarge."""
    factors = dict(zip(NAMES, amounts, strict=True))
    draws = [JitterDraw(changes=tuple((name, factors[name]) for name in ORDERS[i % 24])) for i in range(len(PICKS))]
    check(jitter_canvas(canvas(), PICKS, draws), lambda levels, i: jitter_colours(levels, draws[i]), 1e-3)
