"""Resize of a batch equals OpenCV's on each sample, for every interpolation."""

import numpy as np
import pytest
import torch

from src.degradation.canvas import Canvas
from src.degradation.canvas_resize import resize_canvas
from src.degradation.drawn import ResizeDraw
from src.degradation.filtering import resize
from src.degradation.operations import INTERPOLATIONS

PAIRS = [(source, target) for source in (1, 2, 3, 7, 17, 30, 64) for target in (1, 2, 3, 5, 8, 17, 21, 32, 63, 64, 90)]
LARGE = [
    (512, 17),
    (512, 170),
    (512, 511),
    (512, 128),
    (201, 512),
    (43, 512),
    (511, 512),
    (400, 133),
    (512, 333),
    (128, 512),
]


def batch_of(sides: list[int]) -> torch.Tensor:
    rng = np.random.default_rng(len(sides))
    side = max(sides)
    return torch.from_numpy(rng.uniform(0, 255, (len(sides), 3, side, side)).astype(np.float32))


def sample(levels: torch.Tensor, side: int) -> np.ndarray:
    return np.ascontiguousarray(levels[:, :side, :side].permute(1, 2, 0).numpy())


def tolerance(drawn: ResizeDraw | None) -> float:
    """Levels. OpenCV's own weights of tiny bicubic images are off by 1e-6."""
    if drawn is None:
        return 0.0
    return 255 * (2e-6 if drawn.interpolation == "bicubic" else 1e-6)


def check(canvas: Canvas, picks: list[int], draws: list[ResizeDraw]) -> None:
    resized = resize_canvas(canvas, picks, draws)
    drawn = dict(zip(picks, draws, strict=True))
    for place, source in enumerate(canvas.sides):
        expected = sample(canvas.levels[place], source)
        if place in drawn:
            expected = resize(expected, drawn[place])
        assert resized.sides[place] == len(expected)
        found = sample(resized.levels[place], len(expected))
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance(drawn.get(place)), err_msg=f"side {source}")


@pytest.mark.parametrize("pairs", [PAIRS, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_one_interpolation(interpolation: str, pairs: list[tuple[int, int]]) -> None:
    sources = [source for source, _ in pairs]
    draws = [ResizeDraw(side=target, interpolation=interpolation) for _, target in pairs]
    check(Canvas(batch_of(sources), tuple(sources)), list(range(len(pairs))), draws)


def test_all_interpolations_in_one_batch_and_samples_that_are_left_alone() -> None:
    sources = [source for source, _ in PAIRS]
    picks = [place for place in range(len(PAIRS)) if place % 4 != 2]
    draws = [ResizeDraw(side=PAIRS[pick][1], interpolation=INTERPOLATIONS[pick % 5]) for pick in picks]
    check(Canvas(batch_of(sources), tuple(sources)), picks, draws)


def test_nothing_to_do() -> None:
    canvas = Canvas(batch_of([5, 9]), (5, 9))
    check(canvas, [], [])
    check(canvas, [1], [ResizeDraw(side=9, interpolation="lanczos")])
