"""The tensor JPEG is bit-identical to the codec of OpenCV."""

import cv2
import numpy as np
import pytest
import torch

from src.degradation.canvas import Canvas
from src.degradation.codecs import encode_and_decode
from src.degradation.drawn import CodecDraw
from src.degradation.integer_jpeg import jpeg_canvas, jpeg_roundtrip

SIDES = [1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 23, 24, 25, 31, 33, 48, 50, 64, 77, 101, 128, 171, 199]


def contents(height: int, width: int) -> list[np.ndarray]:
    """Noise, extreme levels (which overshoot 0 and 255 after quantisation) and noisy blobs."""
    rng = np.random.default_rng([height, width])
    noise = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    coarse = rng.integers(0, 256, (height // 6 + 1, width // 6 + 1, 3), dtype=np.uint8)
    blobs = cv2.resize(coarse, (width, height)) + rng.normal(0, 10, (height, width, 3))
    return [noise, (noise // 128) * np.uint8(255), np.clip(blobs, 0, 255).astype(np.uint8)]


def check(height: int, width: int, qualities: list[int]) -> None:
    for image in contents(height, width):
        batch = torch.from_numpy(image).permute(2, 0, 1).repeat(len(qualities), 1, 1, 1)
        found = jpeg_roundtrip(batch, torch.tensor(qualities)).permute(0, 2, 3, 1).numpy()
        for quality, decoded in zip(qualities, found, strict=True):
            np.testing.assert_array_equal(
                decoded, encode_and_decode(image, "jpeg", quality), err_msg=f"quality {quality}"
            )


@pytest.mark.parametrize("side", SIDES)
def test_squares_of_any_side(side: int) -> None:
    check(side, side, [30, 49, 50, 66 + side % 13, 80, 95, 100])


@pytest.mark.parametrize(("height", "width"), [(17, 40), (40, 17), (3, 50), (50, 3), (65, 16), (1, 33)])
def test_rectangles(height: int, width: int) -> None:
    check(height, width, [31, 60, 99])


def test_every_quality() -> None:
    check(26, 26, list(range(1, 101)))


def test_images_of_all_sizes_in_one_batch() -> None:
    """Every quality; between the coded images stand some that are left alone."""
    sides = [*range(1, 131), 255, 256, 300]
    rng = np.random.default_rng(0)
    levels = torch.full((len(sides), 3, 300, 300), 1e6)
    images = [contents(side, side)[place % 3] for place, side in enumerate(sides)]
    for plane, image in zip(levels, images, strict=True):
        offsets = rng.uniform(-0.45, 0.45, image.shape).astype(np.float32)
        plane[:, : len(image), : len(image)] = torch.from_numpy(image + offsets).permute(2, 0, 1)
    picks = [place for place in range(len(sides)) if place % 5 != 3]
    qualities = [1 + 37 * place % 100 for place in picks]
    draws = [CodecDraw(codec="jpeg", quality=quality) for quality in qualities]
    coded = jpeg_canvas(Canvas(levels, tuple(sides)), picks, draws)
    found = [plane[:, :side, :side] for plane, side in zip(coded.levels, sides, strict=True)]
    for pick, quality in zip(picks, qualities, strict=True):
        expected = encode_and_decode(images[pick], "jpeg", quality)
        np.testing.assert_array_equal(found[pick].permute(1, 2, 0).numpy(), expected, err_msg=f"side {sides[pick]}")
    for place in set(range(len(sides))) - set(picks):
        assert torch.equal(found[place], levels[place, :, : sides[place], : sides[place]])
