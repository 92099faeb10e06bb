"""Each step against the arrays of the official code (GOLDEN.md, CodeFormer, deg_*)."""

from pathlib import Path

import numpy as np
import pytest

from src.degradation.codecs import encode_and_decode
from src.degradation.drawn import KernelDraw, ResizeDraw
from src.degradation.filtering import blur, blur_and_resize, resize, resize_to_levels
from src.degradation.kernels import gaussian_kernel, gaussian_taps
from src.degradation.levels_resize import round_levels
from tests.degradation.golden import Golden, golden_arrays, smooth_picture


@pytest.fixture(scope="module")
def golden(root: Path) -> Golden:
    return golden_arrays(root)


@pytest.fixture(scope="module")
def smooth() -> np.ndarray:
    return smooth_picture() * np.float32(255)


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
    kernel = KernelDraw(kind="anisotropic", size=41, sigma_x=sigma_x, sigma_y=sigma_y, angle=angle)
    np.testing.assert_allclose(blur(smooth, kernel)[::32, ::32] / 255, golden["deg_blur_sub"], atol=1e-6)

    side = int(512 // factor)
    assert side == int(golden["deg_small_size"])
    down = ResizeDraw(side=side, interpolation="bilinear")
    small = resize(blur(smooth, kernel), down)
    np.testing.assert_allclose(small[::8, ::8] / 255, golden["deg_small"], atol=1e-6)
    np.testing.assert_allclose(blur_and_resize(smooth, kernel, down), small, atol=2e-6 * 255)

    # The golden noise comes from NumPy's legacy generator, not from a key.
    noise = np.random.RandomState(123).randn(side, side, 3).astype(np.float32)
    noisy = np.clip(small + noise * np.float32(11), 0, 255)
    np.testing.assert_allclose(noisy[::8, ::8] / 255, golden["deg_noisy_sub"], atol=1e-6)

    # The golden image counts its channels as BGR.
    rounded = round_levels(np.ascontiguousarray(noisy[..., ::-1]))
    decoded = np.ascontiguousarray(encode_and_decode(rounded, "jpeg", int(quality))[..., ::-1])
    np.testing.assert_allclose(decoded[::8, ::8] / 255, golden["deg_jpeg_sub"], atol=3 / 255 + 1e-6)

    final = round_levels(resize_to_levels(decoded, ResizeDraw(side=512, interpolation="bilinear"))) / 255
    np.testing.assert_allclose(final[::32, ::32], golden["deg_final_sub"], atol=3 / 255 + 1e-6)
