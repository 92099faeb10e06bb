"""Blur against the defining sum, for small and large sigmas and for images smaller than the kernel."""

import numpy as np
import pytest

from src.degradation.kernels import gaussian_kernel, gaussian_taps, trim
from src.degradation.operations import blur_anisotropic, blur_isotropic


def defining_sum(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Correlation with all taps on an image padded by reflection about its outermost pixels."""
    reach = kernel.shape[0] // 2
    padded = np.pad(image.astype(np.float64), ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape, axis=(0, 1))
    return np.einsum("hwcij,ij->hwc", windows, kernel, optimize=True)


@pytest.mark.parametrize("side", [5, 16, 48])
@pytest.mark.parametrize(("sigma_x", "sigma_y"), [(15.0, 9.0), (3.0, 0.4), (0.6, 0.5), (0.0125, 1.9), (0.0125, 0.0125)])
def test_blur_equals_the_defining_sum(side: int, sigma_x: float, sigma_y: float) -> None:
    image = np.random.default_rng(side).random((side, side, 3), dtype=np.float32)
    turned = blur_anisotropic(image, 41, sigma_x, sigma_y, 0.7)
    np.testing.assert_allclose(turned, defining_sum(image, gaussian_kernel(41, sigma_x, sigma_y, 0.7)), atol=1.5e-6)
    round_ = blur_isotropic(image, 41, sigma_x)
    np.testing.assert_allclose(round_, defining_sum(image, gaussian_kernel(41, sigma_x, sigma_x, 0.0)), atol=1.5e-6)


def test_a_vanishing_sigma_leaves_the_image_unchanged() -> None:
    image = np.random.default_rng(0).random((20, 20, 3), dtype=np.float32)
    np.testing.assert_array_equal(blur_isotropic(image, 41, 0.001), image)
    np.testing.assert_array_equal(blur_anisotropic(image, 41, 0.001, 0.001, 2.0), image)


def test_trim_keeps_the_centre_and_every_tap_that_counts() -> None:
    kernel = gaussian_kernel(41, 2.0, 0.5, 0.3)
    kept = trim(kernel)
    assert all(side % 2 == 1 for side in kept.shape)
    assert kept.size < kernel.size / 4
    assert kept[kept.shape[0] // 2, kept.shape[1] // 2] == kernel.max()
    assert kept.sum() == pytest.approx(1.0, abs=1e-8)
    wide = gaussian_taps(41, 15.0)
    np.testing.assert_array_equal(trim(wide), wide)
