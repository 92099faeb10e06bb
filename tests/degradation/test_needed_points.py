"""Blur at the needed points only equals blurring everything, by every way, over the whole range of parameters."""

from typing import Any

import cv2
import numpy as np
import pytest

from src.degradation import direct_blur, needed_points, tiled_blur
from src.degradation.direct_blur import direct_points
from src.degradation.kernels import gaussian_kernel, gaussian_taps, sinc_kernel, trim
from src.degradation.needed_points import blur_and_reduce, low_rank, whole_image
from src.degradation.separable_blur import separable_points
from src.degradation.tiled_blur import tiled_points

BOUND = 1e-6 * 255


def picture(side: int) -> np.ndarray:
    """Noise: the hardest input for a blur."""
    return np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)


def by_opencv(image: np.ndarray, weights: np.ndarray, side: int) -> np.ndarray:
    """The public chain: all pixels blurred, then 2 x 2 read for each point."""
    blurred = cv2.filter2D(image.astype(np.float32), -1, weights, borderType=cv2.BORDER_REFLECT_101)
    small: Any = cv2.resize(blurred, (side, side), interpolation=cv2.INTER_LINEAR)
    return blurred if side == len(image) else small


def sides_of(size: int) -> list[int]:
    return sorted({max(1, side) for side in (1, 2, size // 7, size // 3 + 1, size // 2, size - 1, size)})


@pytest.mark.parametrize("size", [1, 2, 3, 7, 17, 64, 101])
@pytest.mark.parametrize("sigma", [0.1, 0.7, 2.0, 15.0])
def test_separable_equals_opencv(size: int, sigma: float) -> None:
    """Images smaller than the kernel reflect again and again, which filter2D does and sepFilter2D does not."""
    taps = gaussian_taps(41, sigma)
    for side in sides_of(size):
        expected = by_opencv(picture(size), np.outer(taps, taps), side)
        for shortened in (taps, trim(taps)):
            for found in (
                blur_and_reduce(picture(size), shortened, side),
                separable_points(picture(size), shortened, shortened, side),
                tiled_points(picture(size), shortened[None], shortened[None], side),
            ):
                np.testing.assert_allclose(found, expected, atol=BOUND)


KERNELS = {
    "wide": gaussian_kernel(41, 15.0, 9.0, 0.7),
    "thin": gaussian_kernel(41, 9.0, 0.4, -2.0),
    "small": gaussian_kernel(41, 0.6, 0.3, 1.1),
    "sinc": sinc_kernel(21, 1.3),
    "lopsided": np.random.default_rng(0).normal(size=(5, 9)),
    "tall": np.random.default_rng(1).random((33, 3)) / 99,
}


@pytest.mark.parametrize("size", [2, 3, 17, 64, 101])
@pytest.mark.parametrize("name", KERNELS)
def test_full_kernels_equal_opencv_by_every_way(size: int, name: str) -> None:
    weights, image = KERNELS[name], picture(size)
    # OpenCV's own Fourier path is that far from the sum of the same taps.
    bound = BOUND * np.abs(weights).sum()
    for side in sides_of(size):
        expected = by_opencv(image, weights, side)
        ways = [
            blur_and_reduce(image, trim(weights), side),
            direct_points(image, weights, side),
            tiled_points(image, *low_rank(weights), side),
            whole_image(image, weights, side),
        ]
        for way in ways:
            np.testing.assert_allclose(way, expected, atol=bound)


@pytest.mark.parametrize("angle", [0.0, 0.7, 1.6, -2.5])
@pytest.mark.parametrize(("sigma_x", "sigma_y"), [(15.0, 1.0), (5.0, 4.0), (10.0, 0.1)])
def test_published_size_over_sigmas_and_angles(sigma_x: float, sigma_y: float, angle: float) -> None:
    image, weights = picture(512), gaussian_kernel(41, sigma_x, sigma_y, angle)
    for side in (17, 43, 128, 256):
        found = blur_and_reduce(image, trim(weights), side)
        np.testing.assert_allclose(found, by_opencv(image, weights, side), atol=BOUND)


def test_float_levels_are_blurred_like_whole_ones() -> None:
    image, taps = picture(40), gaussian_taps(9, 1.5)
    for weights in (taps, gaussian_kernel(9, 1.5, 1.0, 0.3)):
        whole = blur_and_reduce(image, weights, 13)
        np.testing.assert_array_equal(blur_and_reduce(image.astype(np.float32), weights, 13), whole)


def test_one_pixel_stays_itself() -> None:
    image = picture(1)
    for weights in (gaussian_taps(41, 3.0), gaussian_kernel(41, 3.0, 1.0, 0.2)):
        np.testing.assert_allclose(blur_and_reduce(image, weights, 1), image, atol=BOUND)


def test_low_rank_leaves_less_than_its_tolerance() -> None:
    for weights in KERNELS.values():
        rows, columns = low_rank(weights)
        assert np.abs(np.einsum("ri,rj->ij", rows, columns) - weights).sum() <= needed_points.TOLERANCE
    assert len(low_rank(np.outer(gaussian_taps(9, 1.0), gaussian_taps(9, 2.0)))[0]) == 1


@pytest.mark.parametrize(("size", "side"), [(5, 3), (33, 33), (70, 41), (101, 7)])
def test_fresh_memory_is_never_read(size: int, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    image, weights = picture(size), KERNELS["wide"]
    expected = by_opencv(image, weights, side)
    for module in (direct_blur, tiled_blur):
        monkeypatch.setattr(module, "aligned_empty", lambda *shape: np.full(shape, np.nan, np.float32))
    np.testing.assert_allclose(direct_points(image, weights, side), expected, atol=BOUND)
    np.testing.assert_allclose(tiled_points(image, *low_rank(weights), side), expected, atol=BOUND)


def test_two_axes_of_their_own() -> None:
    """Rows are y and columns x, in both separable ways."""
    rows, columns = np.random.default_rng(2).random(5) / 2.5, np.random.default_rng(3).random(11) / 5.5
    expected = by_opencv(picture(50), np.outer(rows, columns), 21)
    for found in (
        separable_points(picture(50), rows, columns, 21),
        tiled_points(picture(50), rows[None], columns[None], 21),
    ):
        np.testing.assert_allclose(found, expected, atol=BOUND)


@pytest.mark.parametrize(
    ("weights", "side", "way"),
    [
        (gaussian_taps(41, 3.0), 30, "separable_points"),
        (gaussian_taps(41, 3.0), 256, "tiled_points"),
        (KERNELS["wide"], 30, "direct_points"),
        (KERNELS["wide"], 200, "tiled_points"),
        (KERNELS["thin"], 512, "whole_image"),
    ],
)
def test_every_way_is_taken_somewhere(
    weights: np.ndarray, side: int, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule would be worth nothing if one way always won."""
    ways = ("direct_points", "separable_points", "tiled_points", "whole_image")
    for code, name in enumerate(ways):
        monkeypatch.setattr(needed_points, name, lambda *_, code=code: np.full((1, 1, 3), code, np.float32))
    assert ways[int(blur_and_reduce(picture(512), weights, side)[0, 0, 0])] == way
