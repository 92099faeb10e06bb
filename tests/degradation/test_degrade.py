"""The chain on one image: order, determinism, sizes and refusals."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from src.degradation.chain import chain_of
from src.degradation.draw import draw
from src.degradation.drawn import CodecDraw, KernelDraw, NoiseDraw, ResizeDraw
from src.degradation.engine import degrade, degrade_pair
from src.degradation.kernels import gaussian_kernel
from src.degradation.keyed import SampleKey, keyed_normals
from src.degradation.recipes import load_recipe, recipe_names
from src.settings.degradation import DegradationRecipe
from src.settings.errors import UserError
from tests.degradation.chains import chain

RECIPES = ["codeformer_small", "codeformer_large"]
SOFT = {"kernel_size": 41, "kernels": "isotropic", "sigma": 2}


def picture(side: int, key: int = 0) -> np.ndarray:
    """Coloured blobs with a little grain, 8-bit RGB."""
    rng = np.random.default_rng([side, key])
    coarse = cv2.resize(rng.random((max(2, side // 8),) * 2 + (3,), dtype=np.float32), (side, side))
    return np.clip(255 * coarse + rng.normal(0, 4, coarse.shape), 0, 255).astype(np.uint8)


def decoded_bgr(code: np.ndarray) -> np.ndarray:
    decoded = cv2.imdecode(code, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded


def published_chain(hq: np.ndarray, name: str, key: SampleKey) -> np.ndarray:
    """codeformer.md 3, steps 3 to 10, in BGR with the full kernel on values in [0, 1], as the sheet words it."""
    size = hq.shape[0]
    kernel, small, grain, code, _ = draw(chain_of(load_recipe(name)), key, size)
    assert isinstance(kernel, KernelDraw)
    assert isinstance(small, ResizeDraw)
    assert isinstance(grain, NoiseDraw)
    assert isinstance(code, CodecDraw)
    image: Any = hq[..., ::-1].astype(np.float32) / 255
    image = cv2.filter2D(image, -1, gaussian_kernel(41, kernel.sigma_x, kernel.sigma_y, kernel.angle))
    image = cv2.resize(image, (small.side, small.side), interpolation=cv2.INTER_LINEAR)
    noise = keyed_normals(key, grain.stream, small.side**2 * 3).reshape(small.side, small.side, 3)[..., ::-1]
    image = np.clip(image + noise * grain.size / 255, 0, 1)
    _, encoded = cv2.imencode(".jpg", np.round(image * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, code.quality])
    image = decoded_bgr(encoded).astype(np.float32) / 255
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.clip(np.round(image * 255), 0, 255).astype(np.uint8)[..., ::-1]


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize(("side", "count"), [(16, 100), (64, 200), (128, 60), (512, 24)])
def test_degrade_is_the_published_chain(name: str, side: int, count: int) -> None:
    hq = [picture(side, key) for key in range(count)]
    found = np.stack([degrade(image, name, seed=7, index=i, epoch=2) for i, image in enumerate(hq)]).astype(int)
    expected = np.stack([published_chain(image, name, SampleKey(7, 2, i)) for i, image in enumerate(hq)]).astype(int)
    difference = np.abs(found - expected)
    assert (difference > 0).mean() <= 0.001
    assert difference.mean() <= 0.002
    assert np.abs(found - np.stack(hq)).mean() > 1


def test_same_key_same_bytes_in_any_order_and_every_part_of_the_key_counts() -> None:
    hq = picture(64)
    keys = [(s, e, i) for s in (0, 1) for e in (0, 1) for i in (0, 1, 7)]

    def run(key: tuple[int, int, int]) -> bytes:
        return degrade(hq, "codeformer_small", seed=key[0], epoch=key[1], index=key[2]).tobytes()

    forwards = {key: run(key) for key in keys}
    np.random.seed(3)  # noqa: NPY002 - the global generator must not matter
    backwards = {key: run(key) for key in reversed(keys)}
    assert forwards == backwards
    assert len(set(forwards.values())) == len(keys)


def test_another_process_gives_the_same_bytes(root: Path) -> None:
    script = (
        "import hashlib, numpy as np; from src.degradation import degrade;"
        "hq = np.arange(64 * 64 * 3, dtype=np.uint32).reshape(64, 64, 3) * 37 % 256;"
        "lq = degrade(hq.astype(np.uint8), 'codeformer_large', seed=3, index=11, epoch=4);"
        "print(hashlib.sha256(lq.tobytes()).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    hq = (np.arange(64 * 64 * 3, dtype=np.uint32).reshape(64, 64, 3) * 37 % 256).astype(np.uint8)
    here = degrade(hq, "codeformer_large", seed=3, index=11, epoch=4)
    assert other.stdout.strip() == hashlib.sha256(here.tobytes()).hexdigest()


@pytest.mark.parametrize("side", [1, 3, 64, 512])
def test_identity_returns_the_image(side: int) -> None:
    hq = picture(side)
    lq = degrade(hq, "identity", seed=0, index=0)
    np.testing.assert_array_equal(lq, hq)
    assert not np.shares_memory(lq, hq)


def test_a_side_of_one_pixel_gives_one_colour() -> None:
    one = chain(downsample={"factor": 30}, jpeg={"quality": 90}, resize_back={})
    lq = degrade(picture(16), one, seed=0, index=0)
    assert lq.shape == (16, 16, 3)
    assert (lq == lq[0, 0]).all()


@pytest.mark.parametrize("side", [1, 2, 5, 9, 101])
@pytest.mark.parametrize("name", recipe_names())
def test_images_of_any_size_pass_every_recipe(side: int, name: str) -> None:
    for reference in (512, None):
        recipe = replace(load_recipe(name), reference_size=reference)
        for index in range(4):
            target, lq = degrade_pair(picture(side), chain_of(recipe), SampleKey(0, 0, index))
            assert lq.shape == target.shape == (side, side, 3)
            assert lq.dtype == target.dtype == np.uint8


def test_noise_has_the_drawn_strength_and_is_independent_of_the_other_steps() -> None:
    grey = np.full((256, 256, 3), 128, np.uint8)
    noise = degrade(grey, chain(blur=None, gaussian_noise={"std": 12}), seed=1, index=1).astype(float) - 128
    assert noise.std() == pytest.approx(12.0, rel=0.02)
    assert abs(noise.mean()) < 0.15
    assert np.abs(np.corrcoef(noise.reshape(-1, 3), rowvar=False) - np.eye(3)).max() < 0.02
    blur = load_recipe("codeformer_large").steps["blur"]
    blurred = degrade(grey, chain(blur=blur, gaussian_noise={"std": 12}), seed=1, index=1)
    assert (blurred != noise + 128).mean() < 1e-4  # values within rounding of the half-way point between two levels


def test_grey_noise_is_equal_in_all_channels() -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    for steps in ({"gaussian_noise": {"std": 12, "grey": 1}}, {"poisson_noise": {"scale": 0.02, "grey": 1}}):
        noisy = degrade(grey, chain(**steps), seed=1, index=1)
        assert (noisy == noisy[..., :1]).all()
        assert len(np.unique(noisy)) > 2


def test_poisson_noise_has_the_variance_of_its_photons() -> None:
    """v photons at level 255: the variance at level x is 255 x / v; here v = 2, the number of levels in the image."""
    image = np.full((256, 256, 3), 200, np.uint8)
    image[:, :128] = 40
    noisy = degrade(image, chain(poisson_noise={"scale": 0.1}), seed=0, index=0).astype(float)
    for level, part in ((40, noisy[:, :128]), (200, noisy[:, 128:])):
        assert part.mean() == pytest.approx(level, abs=0.5)
        # Multiples of 255 / 2 x 0.1, rounded.
        assert part.var() == pytest.approx(0.1**2 * 255 * level / 2 + 1 / 12, rel=0.05)


def test_jpeg_sees_rgb_in_the_right_order() -> None:
    """Blue keeps least luma weight: swapped channels would leave other errors on a noisy red plane."""
    hq = np.zeros((64, 64, 3), np.uint8)
    hq[..., 0] = np.random.default_rng(0).integers(0, 256, (64, 64))
    lq = degrade(hq, chain(jpeg={"quality": 60}), seed=0, index=0)
    _, code = cv2.imencode(".jpg", hq[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 60])
    np.testing.assert_array_equal(lq, decoded_bgr(code)[..., ::-1])


def test_webp_loses_more_at_a_lower_quality() -> None:
    hq = picture(64)
    lost = [
        np.abs(degrade(hq, chain(webp={"quality": q}), seed=0, index=0).astype(int) - hq).mean() for q in (5, 50, 95)
    ]
    assert lost[0] > lost[1] > lost[2] > 0


def test_the_target_turns_grey_only_where_the_recipe_says_so() -> None:
    hq = picture(16)
    for of_target in (False, True):
        target, lq = degrade_pair(hq, chain(grey={"of_target": of_target}), SampleKey(0, 0, 0))
        assert (lq == lq[..., :1]).all()
        np.testing.assert_array_equal(target, lq if of_target else hq)


def test_a_brush_covers_in_white_and_leaves_the_rest_alone() -> None:
    hq = np.minimum(picture(128), 200)
    lq = degrade(hq, "codeformer_inpainting", seed=0, index=3)
    covered = (lq != hq).any(axis=-1)
    assert (lq[covered] == 255).all()
    assert 0.02 < covered.mean() < 0.6


def test_order_of_steps_is_the_order_applied() -> None:
    hq = picture(64)
    soft = degrade(hq, chain(gaussian_noise={"std": 30}, blur=SOFT), seed=0, index=0)
    grainy = degrade(hq, chain(blur=SOFT, gaussian_noise={"std": 30}), seed=0, index=0)
    assert np.abs(np.diff(soft.astype(int), axis=0)).mean() < np.abs(np.diff(grainy.astype(int), axis=0)).mean() / 3


def test_an_image_that_is_not_square_is_refused() -> None:
    with pytest.raises(ValueError, match="8 x 9 pixels, expected a square"):
        degrade(np.zeros((8, 9, 3), np.uint8), "codeformer_small", seed=0, index=0)


def test_a_recipe_that_cannot_be_used_is_refused_by_name() -> None:
    broken = DegradationRecipe(name="mine", reference_size=None, steps={"jpeg": {"quality": [90, 30]}})
    with pytest.raises(UserError, match=r"steps.jpeg.quality is \[90, 30\], expected the lowest value first"):
        degrade(picture(8), broken, seed=0, index=0)
