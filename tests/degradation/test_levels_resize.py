"""Resize and rounding in one pass equals OpenCV's float32 resize, rounded."""

import cv2
import numpy as np
import pytest

from src.degradation.drawn import ResizeDraw
from src.degradation.filtering import resize_to_levels
from src.degradation.levels_resize import resize_levels, round_levels


def by_opencv(levels: np.ndarray, side: int) -> np.ndarray:
    resized = cv2.resize(levels.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    return np.clip(np.rint(resized), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("side", "size"), [(17, 512), (64, 512), (101, 512), (640, 512), (1, 7), (3, 64), (7, 5), (5, 5), (33, 64), (2, 1)]
)
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_equals_opencv(side: int, size: int, kind: type) -> None:
    levels: np.ndarray = (np.random.default_rng(side).random((side, side, 3)) * 255).astype(kind)
    difference = np.abs(resize_levels(levels, size).astype(int) - by_opencv(levels, size))
    assert difference.max() <= 1
    assert (difference > 0).mean() <= 5e-5


@pytest.mark.parametrize("side", [320, 321, 512])
def test_both_ways_of_the_engine_agree(side: int) -> None:
    levels = np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)
    found = round_levels(resize_to_levels(levels, ResizeDraw(side=512, interpolation="bilinear")))
    assert (found != by_opencv(levels, 512)).mean() <= 5e-5


def test_ties_go_to_the_even_level() -> None:
    levels = np.repeat(np.array([[0, 1], [0, 1]], np.uint8)[..., None], 3, -1)
    levels[:, 1] = 2
    np.testing.assert_array_equal(resize_levels(levels, 4)[0, :, 0], [0, 0, 2, 2])  # 0, 0.5, 1.5, 2
    assert resize_levels(np.full((2, 2, 3), 300, np.float32), 3).max() == 255
