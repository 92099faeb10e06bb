"""Blur kernels and the blur itself against their definitions."""

import math

import numpy as np
import pytest
from scipy.special import j1

from src.degradation.drawn import KernelDraw
from src.degradation.drawn_kernel import kernel_weights, separable_taps
from src.degradation.filtering import blur
from src.degradation.kernels import gaussian_kernel, gaussian_taps, motion_kernel, sinc_kernel, trim

DRAWS = [
    KernelDraw(kind="isotropic", size=41, sigma_x=3.0, sigma_y=3.0),
    KernelDraw(kind="anisotropic", size=41, sigma_x=15.0, sigma_y=9.0, angle=0.7),
    KernelDraw(kind="anisotropic", size=41, sigma_x=0.0125, sigma_y=1.9, angle=0.7),
    KernelDraw(kind="isotropic", size=41, sigma_x=0.0125, sigma_y=0.0125),
    KernelDraw(kind="generalised_isotropic", size=21, sigma_x=2.0, sigma_y=2.0, beta=0.6),
    KernelDraw(kind="generalised_anisotropic", size=13, sigma_x=2.0, sigma_y=1.0, angle=-2.0, beta=3.0),
    KernelDraw(kind="plateau_anisotropic", size=13, sigma_x=2.0, sigma_y=1.0, angle=1.0, beta=1.5),
    KernelDraw(kind="motion", size=21, length=12.0, angle=0.4),
    KernelDraw(kind="sinc", size=21, cutoff=1.2),
]


def defining_sum(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Correlation with all taps on an image padded by reflection about its outermost pixels."""
    reach = kernel.shape[0] // 2
    padded = np.pad(image.astype(np.float64), ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape, axis=(0, 1))
    return np.einsum("hwcij,ij->hwc", windows, kernel, optimize=True)


@pytest.mark.parametrize("side", [5, 16, 48])
@pytest.mark.parametrize("drawn", DRAWS, ids=lambda drawn: f"{drawn.kind}-{drawn.sigma_x}")
def test_blur_equals_the_defining_sum(side: int, drawn: KernelDraw) -> None:
    image = np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)
    expected = defining_sum(image, kernel_weights(drawn))
    np.testing.assert_allclose(blur(image, drawn), expected, atol=1.5e-6 * 255)


@pytest.mark.parametrize("drawn", DRAWS, ids=lambda drawn: f"{drawn.kind}-{drawn.sigma_x}")
def test_kernels_are_symmetric_sum_to_one_and_fill_their_side(drawn: KernelDraw) -> None:
    kernel = kernel_weights(drawn)
    assert kernel.shape == (drawn.size, drawn.size)
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-12)


def test_an_isotropic_kernel_is_the_product_of_its_taps() -> None:
    taps = separable_taps(DRAWS[0])
    assert taps is not None
    np.testing.assert_allclose(np.outer(taps, taps), trim(kernel_weights(DRAWS[0])), atol=1e-9)
    assert separable_taps(DRAWS[1]) is None


def test_beta_of_one_is_the_gaussian() -> None:
    axes = {"size": 21, "sigma_x": 2.0, "sigma_y": 1.0, "angle": 0.3}
    generalised = kernel_weights(KernelDraw(kind="generalised_anisotropic", beta=1.0, **axes))
    np.testing.assert_allclose(generalised, gaussian_kernel(21, 2.0, 1.0, 0.3), atol=1e-15)


def test_motion_has_the_moments_of_its_line() -> None:
    """A uniform line of length l has the variance l^2 / 12 along itself; bilinear spreading adds up to 1/4 across."""
    offsets = np.arange(31) - 15
    for angle in (0.0, 0.5, math.pi / 2, 2.5):
        kernel = motion_kernel(31, 20.0, angle)
        along = math.cos(angle) * offsets[None, :] + math.sin(angle) * offsets[:, None]
        across = math.cos(angle) * offsets[:, None] - math.sin(angle) * offsets[None, :]
        assert (kernel * along**2).sum() == pytest.approx(20**2 / 12, rel=0.03)
        assert (kernel * across**2).sum() < 0.26
    np.testing.assert_array_equal(motion_kernel(5, 0.0, 1.0), np.pad([[1.0]], 2))


def test_sinc_is_the_circular_low_pass() -> None:
    kernel, cutoff = sinc_kernel(21, 1.2), 1.2
    ratio = kernel[10, 13] / kernel[10, 10]
    assert ratio == pytest.approx(cutoff * j1(cutoff * 3) / (2 * math.pi * 3) / (cutoff**2 / (4 * math.pi)), rel=1e-12)
    assert kernel.min() < 0


def test_a_vanishing_sigma_leaves_the_image_unchanged() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    for kind in ("isotropic", "anisotropic"):
        drawn = KernelDraw(kind=kind, size=41, sigma_x=0.001, sigma_y=0.001, angle=2.0)
        np.testing.assert_array_equal(blur(image, drawn), image)


def test_trim_keeps_the_centre_and_every_tap_that_counts() -> None:
    kernel = gaussian_kernel(41, 2.0, 0.5, 0.3)
    kept = trim(kernel)
    assert all(side % 2 == 1 for side in kept.shape)
    assert kept.size < kernel.size / 4
    assert kept[kept.shape[0] // 2, kept.shape[1] // 2] == kernel.max()
    assert kept.sum() == pytest.approx(1.0, abs=6e-7)
    wide = gaussian_taps(41, 15.0)
    np.testing.assert_array_equal(trim(wide), wide)
    # Negative lobes count, and a kernel that is not symmetric keeps its centre.
    np.testing.assert_array_equal(trim(np.array([0.0, -0.2, 1.0, 0.2, 0.0])), [-0.2, 1.0, 0.2])
    np.testing.assert_array_equal(trim(np.array([0.0, 0.0, 1.0, 0.0, 0.2])), [0.0, 0.0, 1.0, 0.0, 0.2])
