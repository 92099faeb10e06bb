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

from src.degradation.draw import downsampled_side, draw, keyed_generator, noise_field
from src.degradation.engine import apply_draw, degrade
from src.degradation.kernels import gaussian_kernel
from src.degradation.recipes import load_recipe
from src.settings.degradation import DegradationRecipe

RECIPES = ["codeformer_small", "codeformer_large"]


def picture(side: int, key: int = 0) -> np.ndarray:
    """Coloured blobs with a little grain, 8-bit RGB."""
    rng = np.random.default_rng([side, key])
    coarse = cv2.resize(rng.random((max(2, side // 8),) * 2 + (3,), dtype=np.float32), (side, side))
    return np.clip(255 * coarse + rng.normal(0, 4, coarse.shape), 0, 255).astype(np.uint8)


def decoded_bgr(code: np.ndarray) -> np.ndarray:
    decoded = cv2.imdecode(code, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded


def published_chain(hq: np.ndarray, recipe: DegradationRecipe, seed: int, index: int, epoch: int) -> np.ndarray:
    """codeformer.md 3, steps 3 to 10, in BGR with the full kernel, as the sheet words it."""
    size = hq.shape[0]
    d = draw(recipe, keyed_generator(seed, epoch, index, "degradation"), size)
    side = downsampled_side(recipe, d.factor, size)
    assert d.noise_std is not None
    assert d.quality is not None
    image: Any = hq[..., ::-1].astype(np.float32) / 255
    image = cv2.filter2D(image, -1, gaussian_kernel(41, d.sigma_x, d.sigma_y, d.angle))
    image = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
    noise = noise_field(keyed_generator(seed, epoch, index, "noise"), side)[..., ::-1]
    image = np.clip(image + noise * d.noise_std / 255, 0, 1)
    _, code = cv2.imencode(".jpg", np.round(image * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, d.quality])
    image = decoded_bgr(code).astype(np.float32) / 255
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.clip(np.round(image * 255), 0, 255).astype(np.uint8)[..., ::-1]


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize(("side", "count"), [(16, 100), (64, 200), (128, 50), (512, 4)])
def test_degrade_is_the_published_chain(name: str, side: int, count: int) -> None:
    recipe = load_recipe(name)
    hq = [picture(side, key) for key in range(count)]
    found = np.stack([degrade(image, name, seed=7, index=i, epoch=2) for i, image in enumerate(hq)]).astype(int)
    expected = np.stack([published_chain(image, recipe, 7, i, 2) for i, image in enumerate(hq)]).astype(int)
    difference = np.abs(found - expected)
    assert (difference > 0).mean() <= 0.003
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
    recipe = replace(load_recipe("identity"), downsample=[30.0, 30.0], jpeg_quality=[90.0, 90.0])
    lq = degrade(picture(16), recipe, seed=0, index=0)
    assert lq.shape == (16, 16, 3)
    assert (lq == lq[0, 0]).all()


@pytest.mark.parametrize("side", [1, 2, 5, 9])
@pytest.mark.parametrize("name", RECIPES)
def test_tiny_images_pass_the_whole_chain(side: int, name: str) -> None:
    for reference in (512, None):
        lq = degrade(picture(side), replace(load_recipe(name), reference_size=reference), seed=0, index=side)
        assert lq.shape == (side, side, 3)
        assert lq.dtype == np.uint8


def test_noise_has_the_drawn_strength_and_is_independent_of_the_other_steps() -> None:
    recipe = replace(load_recipe("identity"), noise=[12.0, 12.0])
    grey = np.full((256, 256, 3), 128, np.uint8)
    noise = degrade(grey, recipe, seed=1, index=1).astype(float) - 128
    assert noise.std() == pytest.approx(12.0, rel=0.02)
    assert abs(noise.mean()) < 0.15
    assert np.abs(np.corrcoef(noise.reshape(-1, 3), rowvar=False) - np.eye(3)).max() < 0.02
    sharper = degrade(grey, replace(recipe, blur=load_recipe("codeformer_large").blur), seed=1, index=1)
    np.testing.assert_array_equal(sharper, noise + 128)


def test_jpeg_sees_rgb_in_the_right_order() -> None:
    """Blue keeps least luma weight: swapped channels would leave other errors on a noisy red plane."""
    hq = np.zeros((64, 64, 3), np.uint8)
    hq[..., 0] = np.random.default_rng(0).integers(0, 256, (64, 64))
    lq = degrade(hq, replace(load_recipe("identity"), jpeg_quality=[60.0, 60.0]), seed=0, index=0)
    _, code = cv2.imencode(".jpg", hq[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 60])
    np.testing.assert_array_equal(lq, decoded_bgr(code)[..., ::-1])


def test_an_image_that_is_not_square_is_refused() -> None:
    hq = np.zeros((8, 9, 3), np.uint8)
    recipe = load_recipe("codeformer_small")
    with pytest.raises(ValueError, match="8 x 9 pixels, expected a square"):
        degrade(hq, recipe, seed=0, index=0)
    drawn = draw(recipe, keyed_generator(0, 0, 0, "degradation"), 8)
    with pytest.raises(ValueError, match="expected a square"):
        apply_draw(hq, recipe, drawn, keyed_generator(0, 0, 0, "noise"))
