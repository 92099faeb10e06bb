"""The spatial transformer."""

import pytest
import torch
from torch.nn.functional import grid_sample

from src.registration.warp import pixel_grid, sampled, warped
from tests.registration.geometry_examples import noise, texture

SIDES = [(64, 64), (48, 80), (33, 17), (1, 5), (500, 3)]


@pytest.mark.parametrize(("height", "width"), SIDES)
def test_a_zero_field_returns_the_image_bit_for_bit(height: int, width: int) -> None:
    image = texture(2, height, width)
    assert torch.equal(warped(image, torch.zeros(2, 2, height, width)), image)


@pytest.mark.parametrize(("height", "width"), SIDES)
@pytest.mark.parametrize(("dx", "dy"), [(5, 0), (-3, 2), (0, -7), (1000, -1000)])
def test_a_shift_by_whole_pixels_is_exact_and_repeats_the_border(height: int, width: int, dx: int, dy: int) -> None:
    image = texture(2, height, width)
    field = torch.tensor([dx, dy]).float()[None, :, None, None].expand(2, 2, height, width)
    rows = (torch.arange(height) + dy).clamp(0, height - 1)
    columns = (torch.arange(width) + dx).clamp(0, width - 1)
    assert torch.equal(warped(image, field), image[:, :, rows][..., columns])


def test_a_face_that_was_shifted_right_is_brought_back_by_a_positive_dx() -> None:
    """codeformer_plus_plus.md 3.2: shifting I_G right by 5 px must give dx = +5."""
    fixed = texture(1, 32, 32)
    moving = fixed.roll(5, dims=3)
    field = torch.tensor([5.0, 0.0])[None, :, None, None].expand(1, 2, 32, 32)
    assert torch.equal(warped(moving, field)[..., :-5], fixed[..., :-5])


@pytest.mark.parametrize(("height", "width"), [(64, 64), (48, 80), (33, 17)])
def test_values_and_gradients_are_those_of_grid_sample(height: int, width: int) -> None:
    moving = texture(2, height, width).requires_grad_()
    field = (4 * noise(2, 2, height, width)).requires_grad_()
    weights = noise(2, 3, height, width, seed=1)
    scale = torch.tensor([2 / (width - 1), 2 / (height - 1)])
    normalised = (pixel_grid(height, width, moving) + field).permute(0, 2, 3, 1) * scale - 1
    expected = grid_sample(moving, normalised, padding_mode="border", align_corners=True)
    expected_gradients = torch.autograd.grad((expected * weights).sum(), (moving, field))
    found = warped(moving, field)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    by_image, by_field = torch.autograd.grad((found * weights).sum(), (moving, field))
    torch.testing.assert_close(by_image, expected_gradients[0], atol=1e-4, rtol=0)
    # Within rounding of a pixel's middle the slope may be that of either side.
    fraction = (pixel_grid(height, width, moving) + field.detach()) % 1
    settled = ((fraction - 0.5).abs() < 0.499).all(1, keepdim=True)
    assert settled.float().mean() > 0.98
    torch.testing.assert_close(by_field * settled, expected_gradients[1] * settled, atol=1e-3, rtol=1e-4)


def test_places_of_any_number_are_sampled() -> None:
    """A ramp is its own place, everywhere."""
    ramp = pixel_grid(20, 30, torch.zeros(1))[None]
    places = torch.rand(1, 2, 7, 3, generator=torch.Generator().manual_seed(0)) * 19
    torch.testing.assert_close(sampled(ramp, places), places, atol=1e-5, rtol=1e-6)


def test_half_precision_is_resampled_in_float32() -> None:
    image, field = texture(1, 16, 16).bfloat16(), torch.full((1, 2, 16, 16), 0.3).bfloat16()
    assert torch.equal(warped(image, field), warped(image.float(), field.float()))
