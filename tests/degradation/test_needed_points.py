"""Blur at the needed points only equals blurring everything, by every way, over the whole range of parameters."""

from typing import Any

import cv2
import numpy as np
import pytest

from src.degradation import needed_points
from src.degradation.direct_blur import direct_points
from src.degradation.kernels import gaussian_kernel, gaussian_taps, sinc_kernel, trim
from src.degradation.needed_points import blur_and_reduce, low_rank, whole_image
from src.degradation.separable_blur import separable_points

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


@pytest.mark.parametrize("size", [2, 3, 7, 17, 64, 101])
@pytest.mark.parametrize("sigma", [0.1, 0.7, 2.0, 15.0])
def test_separable_equals_opencv(size: int, sigma: float) -> None:
    """Images smaller than the kernel reflect again and again, which filter2D does and sepFilter2D does not."""
    taps = gaussian_taps(41, sigma)
    for side in sides_of(size):
        expected = by_opencv(picture(size), np.outer(taps, taps), side)
        for shortened in (taps, trim(taps)):
            np.testing.assert_allclose(blur_and_reduce(picture(size), shortened, side), expected, atol=BOUND)


KERNELS = {
    "wide": gaussian_kernel(41, 15.0, 9.0, 0.7),
    "thin": gaussian_kernel(41, 9.0, 0.4, -2.0),
    "small": gaussian_kernel(41, 0.6, 0.3, 1.1),
    "sinc": sinc_kernel(21, 1.3),
    "lopsided": np.random.default_rng(0).normal(size=(5, 9)),
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
            separable_points(image, *low_rank(weights), side),
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


def test_every_way_is_taken_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule would be worth nothing if one way always won."""
    taken = []
    for name in ("direct_points", "separable_points", "whole_image"):
        monkeypatch.setattr(needed_points, name, lambda *_, name=name: taken.append(name) or np.zeros((1, 1, 3), "f4"))
    image = picture(512)
    for weights, side in ((KERNELS["wide"], 30), (KERNELS["wide"], 200), (KERNELS["thin"], 512)):
        blur_and_reduce(image, weights, side)
    assert taken == ["direct_points", "separable_points", "whole_image"]
