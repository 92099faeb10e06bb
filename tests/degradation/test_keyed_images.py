"""Noise images and shares are functions of their keys alone."""

from unittest.mock import patch

import numpy as np
import pytest
import torch

from src.degradation.keyed import SampleKey, keyed_normals, keyed_uniforms
from src.degradation.keyed_images import keyed_gates, keyed_latents, keyed_noise, keyed_shares
from src.degradation.keyed_tensor import keyed_normals_canvas

CPU = torch.device("cpu")
KEYS = [SampleKey(3, 7, index) for index in (0, 5, 2**32 - 1)]
STREAM, SIDE = 11, 12


def test_every_image_is_that_of_its_key_in_any_batch() -> None:
    noise = keyed_noise(KEYS, STREAM, SIDE, CPU)
    assert noise.is_contiguous()
    for image, key in zip(noise, KEYS, strict=True):
        assert torch.equal(keyed_noise([key], STREAM, SIDE, CPU)[0], image)
        pixels = keyed_normals(key, STREAM, 3 * SIDE**2).reshape(SIDE, SIDE, 3)
        np.testing.assert_array_equal(image.permute(1, 2, 0).numpy(), pixels)


def test_another_device_computes_the_same_bits() -> None:
    """By the tensor operations that every device but the CPU uses."""
    count = len(KEYS)
    elsewhere = keyed_normals_canvas(KEYS, [STREAM] * count, [SIDE] * count, [3] * count, SIDE, CPU)
    assert torch.equal(keyed_noise(KEYS, STREAM, SIDE, CPU), elsewhere)


def test_images_of_other_keys_and_streams_are_independent_normal_noise() -> None:
    keys = [SampleKey(0, epoch, index) for epoch in (1, 2) for index in (0, 1)]
    images = torch.cat([keyed_noise(keys, stream, 64, CPU) for stream in (1, 2)]).flatten(1)
    torch.testing.assert_close(images.mean(1), torch.zeros(8), rtol=0, atol=0.04)
    torch.testing.assert_close(torch.cov(images), torch.eye(8), rtol=0, atol=0.06)


def test_latents_of_any_shape_are_those_of_their_keys() -> None:
    """Images are the latents of three channels."""
    assert torch.equal(keyed_latents(KEYS, STREAM, (3, SIDE, SIDE), CPU), keyed_noise(KEYS, STREAM, SIDE, CPU))
    latents = keyed_latents(KEYS, STREAM, (5, 2, 4), CPU)
    for latent, key in zip(latents, KEYS, strict=True):
        numbers = keyed_normals(key, STREAM, 5 * 2 * 4).reshape(2, 4, 5)
        np.testing.assert_array_equal(latent.permute(1, 2, 0).numpy(), numbers)


def test_gates_are_uniform_numbers_with_a_finite_logit() -> None:
    gates = keyed_gates(KEYS, STREAM, (4, 16, 32), CPU)
    for field, key in zip(gates, KEYS, strict=True):
        torch.testing.assert_close(field.flatten().double(), torch.from_numpy(keyed_uniforms(key, STREAM, 2048)))
    assert torch.logit(gates).isfinite().all()
    with patch("src.degradation.keyed_images.keyed_uniforms", return_value=np.array([0.0, 1 - 2.0**-53])):
        assert torch.logit(keyed_gates(KEYS, STREAM, (1, 1, 2), CPU)).isfinite().all()


def test_a_share_is_the_first_uniform_number_of_its_key() -> None:
    expected = [keyed_uniforms(key, STREAM, 3)[0] for key in KEYS]
    np.testing.assert_array_equal(keyed_shares(KEYS, STREAM), expected)
    assert len(set(expected)) == len(KEYS)


@pytest.mark.parametrize("draw", [lambda key: keyed_noise([key], 0, 4, CPU), lambda key: keyed_shares([key], 0)])
def test_a_key_out_of_range_is_refused(draw) -> None:
    with pytest.raises(ValueError, match="expected whole numbers from 0"):
        draw(SampleKey(0, 0, -1))
