"""Operations on displacement fields, and their Jacobian determinant."""

import pytest
import torch
from torch import Tensor

from src.registration.affine import affine_field
from src.registration.field import at_points, composed, exponential, resized
from src.registration.jacobian import determinant, folded_share, folding_penalty, log_determinant_deviation
from src.registration.warp import pixel_grid, warped
from tests.registration.geometry_examples import MATRICES, noise, scattered_points, smooth_field, transformed, values_at

SIDE = 64


def about_the_middle(linear: Tensor, side: int = SIDE) -> Tensor:
    """The affine map x -> m + linear (x - m), with the middle m of an image."""
    middle = torch.full((2,), (side - 1) / 2, dtype=linear.dtype)
    return torch.cat([linear, (middle - linear @ middle)[..., None]], dim=-1)


def interior(field: Tensor, margin: int) -> Tensor:
    return field[..., margin:-margin, margin:-margin]


def test_composition_is_the_first_map_and_then_the_second() -> None:
    """The field of B A from those of A and B: order counts."""
    first = about_the_middle(torch.tensor([[[0.7, 0.2], [-0.1, 0.8]]], dtype=torch.float64))
    then = torch.tensor([[[1.0, 0.3, -2.0], [0.1, 0.9, 1.0]]], dtype=torch.float64)
    product = torch.cat([then[:, :, :2] @ first[:, :, :2], then[:, :, :2] @ first[:, :, 2:] + then[:, :, 2:]], dim=2)
    found = composed(affine_field(first, SIDE, SIDE), affine_field(then, SIDE, SIDE))
    expected = affine_field(product, SIDE, SIDE)
    torch.testing.assert_close(interior(found, 4), interior(expected, 4), atol=1e-4, rtol=0)


def test_an_image_moved_by_the_second_and_then_by_the_first_was_moved_by_their_composition() -> None:
    """On a smooth image, where resampling twice loses little."""
    x, y = pixel_grid(SIDE, SIDE, torch.zeros(1))
    image = torch.sin(x / 9 + y / 14).expand(2, 1, -1, -1)
    first, then = smooth_field(SIDE, SIDE, 4.0), smooth_field(SIDE, SIDE, 3.0, waves=2.0).flip(0)
    twice = warped(warped(image, then), first)
    torch.testing.assert_close(warped(image, composed(first, then)), twice, atol=5e-3, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(32, 24), (128, 96), (64, 64)])
def test_resizing_keeps_the_map_in_the_pixels_of_the_new_grid(height: int, width: int) -> None:
    """An affine map, seen on another grid, is the same map with its coordinates scaled."""
    scale = torch.tensor([(width - 1) / 63, (height - 1) / 63], dtype=torch.float64)
    linear, shift = MATRICES[:, :, :2], MATRICES[:, :, 2:]
    seen = torch.cat([scale[:, None] * linear / scale, scale[:, None] * shift], dim=2)
    found = resized(affine_field(MATRICES, SIDE, SIDE), height, width)
    torch.testing.assert_close(found, affine_field(seen, height, width), atol=1e-4, rtol=0)


def test_the_exponential_of_a_constant_velocity_is_that_displacement() -> None:
    velocity = torch.tensor([3.25, -1.5])[None, :, None, None].expand(2, 2, 16, 16)
    torch.testing.assert_close(exponential(velocity, 7), velocity)


@pytest.mark.parametrize("squarings", [6, 7, 8])
def test_the_exponential_of_a_linear_velocity_is_the_matrix_exponential(squarings: int) -> None:
    """v(x) = M (x - m) moves x to m + e^M (x - m); T squarings take M / 2^T for its logarithm's first term."""
    generator = torch.tensor([[[-0.3, 0.25], [-0.2, -0.35]]], dtype=torch.float64)
    velocity = affine_field(about_the_middle(torch.eye(2, dtype=torch.float64) + generator), SIDE, SIDE)
    expected = affine_field(about_the_middle(torch.linalg.matrix_exp(generator)), SIDE, SIDE)
    torch.testing.assert_close(exponential(velocity, squarings), expected, atol=8 / 2**squarings, rtol=0)


@pytest.mark.parametrize("waves", [1.0, 2.0])
def test_smooth_velocities_give_maps_that_undo_each_other_and_do_not_fold(waves: float) -> None:
    """codeformer_plus_plus.md 10, item 3."""
    velocity = smooth_field(SIDE, SIDE, 6.0, waves)
    forward, backward = exponential(velocity, 7), exponential(-velocity, 7)
    assert forward.norm(dim=1).amax() > 4
    assert composed(forward, backward).norm(dim=1).max() < 0.1
    assert composed(backward, forward).norm(dim=1).max() < 0.1
    assert determinant(forward).min() > 0
    assert determinant(backward).min() > 0


def test_squaring_does_not_fold_where_the_velocity_as_a_displacement_does() -> None:
    velocity = smooth_field(SIDE, SIDE, 12.0, waves=2.0)
    assert folded_share(velocity).min() > 0
    assert folded_share(exponential(velocity, 8)).max() == 0


def test_fields_are_read_at_points_between_pixels_and_not_where_a_point_is_unknown() -> None:
    field = affine_field(MATRICES, 40, 56)
    points = scattered_points(2, 9, 39, 55) + 0.37
    points[1, 4] = torch.nan
    found = at_points(field, points)
    torch.testing.assert_close(points + found, transformed(MATRICES, points), atol=1e-4, rtol=0, equal_nan=True)
    assert found.isnan().any(-1).nonzero().tolist() == [[1, 4]]


def test_unknown_points_leave_the_gradient_of_the_others_alone() -> None:
    field = smooth_field(16, 16, 2.0).requires_grad_()
    points = scattered_points(2, 5, 16, 16)
    points[0, 2] = torch.nan
    at_points(field, points).nansum().backward()
    assert field.grad is not None
    known = values_at(field.grad, points.nan_to_num(0.0))
    assert known[1].eq(1).all()
    assert field.grad.sum() == 18


def test_the_determinant_of_an_affine_map_is_its_factor_of_area() -> None:
    found = determinant(affine_field(MATRICES, 12, 9))
    expected = torch.linalg.det(MATRICES[:, :, :2]).float()
    torch.testing.assert_close(found, expected[:, None, None].expand(2, 11, 8), atol=1e-4, rtol=0)
    assert log_determinant_deviation(affine_field(MATRICES, 12, 9)).max() < 1e-4


def test_a_mirrored_half_is_a_fold() -> None:
    """x -> -2 x on the right half: det J = -2 there, 1 on the left one."""
    x = torch.arange(9.0)
    dx = torch.where(x > 4, -3 * (x - 4), 0.0)
    field = torch.stack([dx.expand(6, 9), torch.zeros(6, 9)])[None].repeat(2, 1, 1, 1)
    field[1] = 0
    assert folded_share(field).tolist() == [0.5, 0.0]
    assert folding_penalty(field).item() == pytest.approx(2 * 0.25)
    deviation = log_determinant_deviation(field)
    assert deviation[0].item() == pytest.approx(torch.tensor(2.0).log().item() / 2)
    assert deviation[1] == 0


def test_the_folding_penalty_unfolds() -> None:
    field = 3 * noise(1, 2, 16, 16)
    before = folded_share(field).item()
    for _ in range(300):
        field.requires_grad_()
        (gradient,) = torch.autograd.grad(folding_penalty(field), field)
        field = field.detach() - 10 * gradient
    assert before > 0.3
    assert folded_share(field).item() < 0.05
