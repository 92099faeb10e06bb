"""Each step against the arrays of the official code (GOLDEN.md, CodeFormer, deg_*)."""

from pathlib import Path

import numpy as np
import pytest

from src.degradation import operations
from src.degradation.kernels import gaussian_kernel, gaussian_taps

Golden = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def golden(root: Path) -> Golden:
    with np.load(root / "tests" / "data" / "degradation_golden.npz") as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def smooth() -> np.ndarray:
    """The smooth input of GOLDEN.md as an HWC float32 image in [0, 1]."""
    y, x = np.mgrid[0:512, 0:512] / 512
    planes = [
        0.6 * np.sin(2 * np.pi * ((c + 1) * x + 0.25 * c)) * np.cos(2 * np.pi * (3 - c) * y)
        + 0.3 * np.cos(2 * np.pi * (c + 2) * (x + y))
        for c in range(3)
    ]
    return (np.stack(planes, -1).astype(np.float32) + 1) / 2


def test_kernels_equal_the_official_ones(golden: Golden) -> None:
    sigma, sigma_x, sigma_y, angle, _, _ = golden["deg_params"].tolist()
    taps = gaussian_taps(41, sigma)
    np.testing.assert_allclose(taps * taps[20], golden["deg_kernel_iso_row20"], atol=1e-12)
    np.testing.assert_allclose(gaussian_kernel(41, sigma, sigma, 0.0), np.outer(taps, taps), atol=1e-12)
    turned = gaussian_kernel(41, sigma_x, sigma_y, angle)
    np.testing.assert_allclose(turned[::4, ::4], golden["deg_kernel_aniso_sub"], atol=1e-12)
    assert turned.sum() == pytest.approx(float(golden["deg_kernel_aniso_sum"]), abs=1e-12)


def test_chain_equals_the_official_one_step_by_step(golden: Golden, smooth: np.ndarray) -> None:
    _, sigma_x, sigma_y, angle, factor, quality = golden["deg_params"].tolist()
    blurred = operations.blur_anisotropic(smooth, 41, sigma_x, sigma_y, angle)
    np.testing.assert_allclose(blurred[::32, ::32], golden["deg_blur_sub"], atol=1e-6)

    side = int(512 // factor)
    assert side == int(golden["deg_small_size"])
    small = operations.resize(blurred, side)
    np.testing.assert_allclose(small[::8, ::8], golden["deg_small"], atol=1e-6)

    # The golden noise comes from the legacy generator, so only the clip and the scale of `add_noise` are shared.
    noise = np.random.RandomState(123).randn(side, side, 3).astype(np.float32)
    noisy = np.clip(small + noise * np.float32(11 / 255), 0, 1)
    np.testing.assert_allclose(noisy[::8, ::8], golden["deg_noisy_sub"], atol=1e-6)

    # The golden image counts its channels as BGR.
    rounded = operations.round_levels(np.ascontiguousarray(noisy[..., ::-1]) * np.float32(255))
    decoded = np.ascontiguousarray(operations.jpeg(rounded, int(quality))[..., ::-1])
    np.testing.assert_allclose(decoded[::8, ::8] / 255, golden["deg_jpeg_sub"], atol=3 / 255 + 1e-6)

    final = operations.round_levels(operations.resize(decoded.astype(np.float32), 512)) / 255
    np.testing.assert_allclose(final[::32, ::32], golden["deg_final_sub"], atol=3 / 255 + 1e-6)
