"""Registrations from landmarks."""

import numpy as np
import pytest
import torch
from torch import nn

import src.registration.field as field_module
from src.registration.affine import affine_field, fitted_affine, identity_matrix
from src.registration.closed_form import (
    LandmarkAffine,
    LandmarkMovingLeastSquares,
    LandmarkRegistration,
    LandmarkThinPlate,
    NoRegistration,
)
from src.registration.field import at_points
from src.registration.moving_least_squares import moving_least_squares_field
from src.registration.registered import LandmarkPair, Registration
from src.registration.thin_plate import (
    bending_energy,
    bending_matrix,
    cardinal_fields,
    field_from_offsets,
    thin_plate_field,
)
from src.registration.warp import warped
from src.settings.errors import UserError
from tests.registration.geometry_examples import (
    HEIGHT,
    MATRICES,
    WIDTH,
    affine_pair,
    irregular_pair,
    noise,
    scattered_points,
    texture,
    transformed,
    values_at,
)

METHODS = [LandmarkAffine(), LandmarkThinPlate(0), LandmarkMovingLeastSquares(1.0), LandmarkMovingLeastSquares(4.0)]
INTERPOLATING = METHODS[1:]


@pytest.mark.parametrize("method", METHODS)
def test_an_affine_map_is_reproduced_everywhere(method: LandmarkRegistration) -> None:
    found = method.field(affine_pair(), HEIGHT, WIDTH)
    torch.testing.assert_close(found, affine_field(MATRICES, HEIGHT, WIDTH), atol=1e-4, rtol=0)


@pytest.mark.parametrize("method", INTERPOLATING)
def test_control_points_are_met_exactly(method: LandmarkRegistration) -> None:
    pair = irregular_pair()
    found = values_at(method.field(pair, HEIGHT, WIDTH), pair.fixed)
    torch.testing.assert_close(found, pair.moving - pair.fixed, atol=1e-4, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_a_face_that_was_shifted_right_by_5_is_brought_back(method: LandmarkRegistration) -> None:
    """The field points into the moving face: dx = +5 (codeformer_plus_plus.md 3.2)."""
    fixed = texture(2, HEIGHT, WIDTH)
    points = scattered_points(2, 10)
    registered = method(fixed.roll(5, dims=3), fixed, LandmarkPair(points + torch.tensor([5.0, 0.0]), points))
    assert registered.field is not None
    torch.testing.assert_close(registered.field[:, 0], torch.full((2, HEIGHT, WIDTH), 5.0), atol=1e-4, rtol=0)
    torch.testing.assert_close(registered.warped[..., :-6], fixed[..., :-6], atol=1e-3, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_faces_without_landmarks_stay_and_do_not_touch_the_others(method: LandmarkRegistration) -> None:
    moving, fixed = texture(3, HEIGHT, WIDTH), texture(3, HEIGHT, WIDTH, seed=1)
    pair = irregular_pair(3)
    pair.moving[1, 3] = torch.nan
    registered = method(moving, fixed, pair)
    assert registered.field is not None
    assert torch.equal(registered.warped[1], moving[1])
    assert registered.field[1].eq(0).all()
    for face in (0, 2):
        alone = method(moving[[face]], fixed[[face]], LandmarkPair(pair.moving[[face]], pair.fixed[[face]]))
        torch.testing.assert_close(registered.warped[[face]], alone.warped)
        assert not torch.equal(alone.warped[0], moving[face])
    nobody = LandmarkPair(*(torch.full((3, 5, 2), torch.nan) for _ in range(2)))
    assert torch.equal(method(moving, fixed, nobody).warped, moving)


def with_one_twice(pair: LandmarkPair) -> LandmarkPair:
    """The first landmark two times, with partners a pixel above and below, as inner lips of a closed mouth have."""
    moving, fixed = (torch.cat([points, points[:, :1]], dim=1) for points in pair)
    moving[:, 0, 1] += 1
    moving[:, -1, 1] -= 1
    return LandmarkPair(moving, fixed)


def test_a_spline_takes_the_mean_of_landmarks_that_coincide() -> None:
    pair, method = irregular_pair(1), LandmarkThinPlate(0)
    found = method.field(with_one_twice(pair), HEIGHT, WIDTH)
    torch.testing.assert_close(found, method.field(pair, HEIGHT, WIDTH), atol=1e-4, rtol=0)


def test_moving_least_squares_takes_the_mean_of_landmarks_that_coincide() -> None:
    pair = irregular_pair(1)
    found = values_at(moving_least_squares_field(with_one_twice(pair), 1.0, HEIGHT, WIDTH), pair.fixed)
    torch.testing.assert_close(found, pair.moving - pair.fixed, atol=1e-4, rtol=0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [1, 2, 6])
def test_landmarks_on_a_line_leave_the_direction_across_as_it_is(method: LandmarkRegistration, count: int) -> None:
    """Stretched by 1.5 along the diagonal, never across."""
    along = torch.linspace(2, 35, count)
    fixed = torch.stack([along, along], dim=-1)[None]
    found = method.field(LandmarkPair(1.5 * fixed - 7, fixed), HEIGHT, WIDTH)
    across = found[:, 0] - found[:, 1]
    torch.testing.assert_close(across, torch.zeros_like(across), atol=1e-3, rtol=0)
    stretched = 0.5 * along - 7 if count > 1 else torch.tensor([0.5 * 2 - 7])
    on_the_line = at_points(found, fixed)[0]
    torch.testing.assert_close(on_the_line, stretched[:, None].expand(-1, 2), atol=1e-3, rtol=0)


def test_the_affine_map_has_the_least_squared_distance() -> None:
    pair = irregular_pair()
    rows = torch.cat([pair.fixed, torch.ones(2, 12, 1)], dim=2).double().numpy()
    for found, row, target in zip(fitted_affine(pair), rows, pair.moving.double().numpy(), strict=True):
        np.testing.assert_allclose(found.T, np.linalg.lstsq(row, target, rcond=None)[0], atol=1e-10)


def test_the_identity_matrix_moves_nothing_and_has_a_gradient() -> None:
    matrix = identity_matrix(2, torch.zeros(1)).requires_grad_()
    field = affine_field(matrix, 7, 9)
    assert field.eq(0).all()
    field.sum().backward()
    assert matrix.grad is not None
    assert matrix.grad[0, 0].tolist() == [sum(range(9)) * 7, sum(range(7)) * 9, 63]


def test_a_spline_bends_less_than_other_interpolants_and_an_affine_one_not_at_all() -> None:
    control = scattered_points(1, 9)[0]
    bending = bending_matrix(control, 0, WIDTH)
    affine = transformed(MATRICES, control.expand(2, -1, -1)) - control
    assert bending_energy(affine, bending).abs().max() < 1e-6
    assert bending_energy(noise(2, 9, 2), bending).min() > 1e-3


def test_the_bending_energy_is_the_integral_of_second_derivatives() -> None:
    """Of U(r) = r^2 log r^2, whose integral over the plane is 16 pi w^T K w (Bookstein 1989; Delta^2 U = 16 pi delta)."""
    side, near, far = 256, 118.0, 138.0
    control = torch.tensor([[near, near], [far, near], [near, far], [far, far]])
    offsets = torch.tensor([[[1.0, 0], [-1, 0], [-1, 0], [1, 0]]])
    dx = thin_plate_field(control[None], offsets, 0, side, side)[0, 0].double()
    xx = dx[1:-1, 2:] - 2 * dx[1:-1, 1:-1] + dx[1:-1, :-2]
    yy = dx[2:, 1:-1] - 2 * dx[1:-1, 1:-1] + dx[:-2, 1:-1]
    xy = (dx[2:, 2:] - dx[2:, :-2] - dx[:-2, 2:] + dx[:-2, :-2]) / 4
    integral = (xx**2 + 2 * xy**2 + yy**2).sum().item()
    energy = bending_energy(offsets, bending_matrix(control, 0, side)).item()
    assert integral == pytest.approx(16 * torch.pi * energy, rel=0.03)


def test_bending_and_ridge_mean_the_same_at_every_size() -> None:
    control, offsets = scattered_points(1, 9)[0], noise(1, 9, 2)
    small = bending_energy(offsets, bending_matrix(control, 0.01, WIDTH))
    torch.testing.assert_close(bending_energy(3 * offsets, bending_matrix(3 * control, 0.01, 3 * WIDTH)), small)
    field = thin_plate_field(control[None], offsets, 0.01, HEIGHT, WIDTH)
    large = thin_plate_field(3 * control[None], 3 * offsets, 0.01, 3 * HEIGHT, 3 * WIDTH)
    torch.testing.assert_close(large[..., ::3, ::3], 3 * field, atol=1e-4, rtol=0)


def test_a_ridge_leads_from_the_spline_to_the_affine_map() -> None:
    pair = irregular_pair()
    affine, errors = LandmarkAffine().field(pair, HEIGHT, WIDTH), []
    for ridge in (0, 0.01, 1, 1e6):
        field = LandmarkThinPlate(ridge).field(pair, HEIGHT, WIDTH)
        errors.append((values_at(field, pair.fixed) - (pair.moving - pair.fixed)).norm().item())
    assert errors == sorted(errors)
    torch.testing.assert_close(field, affine, atol=1e-3, rtol=0)


def test_fixed_control_points_give_the_same_spline_with_a_gradient() -> None:
    control, offsets = scattered_points(1, 9)[0], noise(2, 9, 2).requires_grad_()
    found = field_from_offsets(offsets, cardinal_fields(control, 0.001, HEIGHT, WIDTH))
    expected = thin_plate_field(control.expand(2, -1, -1), offsets.detach(), 0.001, HEIGHT, WIDTH)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    found.sum().backward()
    assert offsets.grad is not None
    assert offsets.grad.abs().min() > 0


def test_moving_least_squares_solves_a_weighted_fit_at_every_pixel() -> None:
    pair, falloff = irregular_pair(1), 1.5
    field = moving_least_squares_field(pair, falloff, HEIGHT, WIDTH)[0]
    moving, fixed = (points[0].double().numpy() for points in pair)
    for column, row in [(0, 0), (30, 11), (17, 39)]:
        place = np.array([column, row])
        root = np.sqrt(1 / ((fixed - place) ** 2).sum(1) ** falloff)[:, None]
        solved = np.linalg.lstsq(root * np.c_[fixed, np.ones(12)], root * moving, rcond=None)[0]
        np.testing.assert_allclose(place + field[:, row, column].numpy(), np.r_[place, 1] @ solved, atol=1e-4)


@pytest.mark.parametrize("falloff", [0.5, 1.0, 2.0, 4.0])
def test_moving_least_squares_is_continuous_at_a_landmark(falloff: float) -> None:
    """Landmarks at and next to a pixel's middle: what the pixel gets is theirs, at every nearness."""
    pair = irregular_pair(1)
    for distance in (0.0, 1e-9, 1e-6, 1e-4, 1e-3):
        near = LandmarkPair(pair.moving, pair.fixed + torch.tensor([distance, 0.0]))
        found = values_at(moving_least_squares_field(near, falloff, HEIGHT, WIDTH), pair.fixed)
        torch.testing.assert_close(
            found, pair.moving - pair.fixed, atol=20 * max(distance, 1e-4) ** min(2 * falloff, 1), rtol=0
        )


@pytest.mark.parametrize("method", METHODS[1:3])
def test_pixels_in_chunks_are_the_pixels_at_once(method: LandmarkRegistration, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = method.field(irregular_pair(), HEIGHT, WIDTH)
    monkeypatch.setattr(field_module, "VALUES_AT_ONCE", 1000)
    torch.testing.assert_close(method.field(irregular_pair(), HEIGHT, WIDTH), whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("method", [NoRegistration(), *METHODS])
def test_every_one_is_a_registration_without_anything_to_learn(method: nn.Module) -> None:
    assert isinstance(method, Registration)
    assert not list(method.parameters())
    moving, fixed, pair = texture(2, HEIGHT, WIDTH), texture(2, HEIGHT, WIDTH, seed=1), irregular_pair()
    registered = method(moving, fixed, pair)
    assert (registered.alignments, registered.penalties) == ((), {})
    if registered.field is None:
        assert registered.warped is moving
    else:
        assert torch.equal(registered.warped, warped(moving, registered.field))


@pytest.mark.parametrize("method", METHODS)
def test_landmarks_are_asked_for(method: LandmarkRegistration) -> None:
    face = texture(1, 8, 8)
    with pytest.raises(UserError, match=f"{type(method).__name__} needs landmarks of both faces"):
        method(face, face)
