"""What is logged of every registration."""

import pytest
import torch
from torch.nn.functional import avg_pool2d

from src.registration.affine import affine_field
from src.registration.closed_form import LandmarkThinPlate, NoRegistration
from src.registration.diagnostics import DIAGNOSTICS, diagnosed, inverse_consistency, texture_kept
from src.registration.field import exponential
from src.registration.registered import LandmarkPair, Registered
from src.registration.warp import warped
from tests.registration.geometry_examples import HEIGHT, WIDTH, irregular_pair, smooth_field, texture

ALWAYS = {
    "ncc_before",
    "ncc_after",
    "displacement_mean",
    "displacement_p99",
    "folded_share",
    "log_det_deviation",
    "texture_kept",
}


def shift_field(dx: float | int, dy: float | int) -> torch.Tensor:
    return torch.tensor([dx, dy]).float()[None, :, None, None].expand(2, 2, HEIGHT, WIDTH)


def moved_by(moving: torch.Tensor, field: torch.Tensor) -> Registered:
    return Registered(warped(moving, field), field, (), {})


def test_every_value_is_one_per_face_and_listed() -> None:
    moving, fixed, pair = texture(2, HEIGHT, WIDTH), texture(2, HEIGHT, WIDTH, seed=1), irregular_pair()
    velocity = smooth_field(HEIGHT, WIDTH, 3.0)
    field = exponential(velocity, 7)
    registered = Registered(warped(moving, field), field, (), {}, exponential(-velocity, 7))
    values = diagnosed(moving, fixed, registered, pair, pair.fixed)
    assert list(values) == list(DIAGNOSTICS)
    assert all(value.shape == (2,) and value.isfinite().all() for value in values.values())


def test_nothing_moved() -> None:
    moving, fixed, pair = texture(2, HEIGHT, WIDTH), texture(2, HEIGHT, WIDTH, seed=1), irregular_pair()
    values = diagnosed(moving, fixed, NoRegistration()(moving, fixed), pair)
    assert set(values) == ALWAYS | {"landmark_error_before", "landmark_error_after"}
    for name in ("displacement_mean", "displacement_p99", "folded_share", "log_det_deviation"):
        assert values[name].tolist() == [0, 0]
    assert values["texture_kept"].tolist() == [1, 1]
    assert torch.equal(values["ncc_before"], values["ncc_after"])
    assert torch.equal(values["landmark_error_before"], values["landmark_error_after"])


def test_a_face_brought_back_by_whole_pixels() -> None:
    """3 px right and 4 px down: a distance of 5 px, after which all fits, and nothing was blurred."""
    fixed = texture(2, HEIGHT, WIDTH)
    moving = fixed.roll((4, 3), dims=(2, 3))
    points = irregular_pair().fixed.clamp(8, 32)
    pair = LandmarkPair(points + torch.tensor([3.0, 4.0]), points)
    values = diagnosed(moving, fixed, moved_by(moving, shift_field(3, 4)), pair, points + torch.tensor([0.6, 0.8]))
    expected = {
        "landmark_error_before": 5.0,
        "landmark_error_after": 0.0,
        "landmark_error_detected": 1.0,
        "displacement_mean": 5.0,
        "displacement_p99": 5.0,
    }
    for name, value in expected.items():
        torch.testing.assert_close(values[name], torch.full((2,), value), atol=1e-5, rtol=0)
    assert values["ncc_before"].abs().max() < 0.1
    assert values["ncc_after"].min() > 0.8
    assert (values["texture_kept"] - 1).abs().max() < 0.1


def test_the_landmark_error_is_that_of_the_field() -> None:
    pair = irregular_pair()
    moving = texture(2, HEIGHT, WIDTH)
    exact = diagnosed(moving, moving, LandmarkThinPlate(0)(moving, moving, pair), pair)
    assert exact["landmark_error_after"].max() < 1e-3 < exact["landmark_error_before"].min()
    opposite = LandmarkPair(2 * pair.fixed - pair.moving, pair.fixed)
    wrong = diagnosed(moving, moving, LandmarkThinPlate(0)(moving, moving, opposite), pair)
    torch.testing.assert_close(wrong["landmark_error_after"], 2 * wrong["landmark_error_before"], atol=1e-3, rtol=0)


def test_a_face_without_landmarks_has_no_landmark_error_and_everything_else() -> None:
    moving, pair = texture(2, HEIGHT, WIDTH), irregular_pair()
    pair.moving[0] = torch.nan
    values = diagnosed(moving, moving, LandmarkThinPlate(0)(moving, moving, pair), pair)
    for name, value in values.items():
        assert value.isnan().tolist() == [name.startswith("landmark_error"), False]


def test_percentile_and_stretch_are_those_of_the_field() -> None:
    """A stretch of x by 1.5 about the left edge, on 1 of the 2 faces: |phi| = x / 2, det J = 1.5 everywhere."""
    matrices = torch.tensor([[[1.5, 0, 0], [0, 1, 0]], [[-1, 0, 0], [0, 1, 0]]])
    moving = texture(2, HEIGHT, WIDTH)
    values = diagnosed(moving, moving, moved_by(moving, affine_field(matrices, HEIGHT, WIDTH)))
    assert values["displacement_mean"][0].item() == pytest.approx((WIDTH - 1) / 4)
    assert values["displacement_p99"][0].item() == pytest.approx(0.99 * (WIDTH - 1) / 2, abs=0.5)
    assert values["folded_share"].tolist() == [0, 1]
    assert values["log_det_deviation"].max() < 1e-5


def test_resampling_between_pixels_loses_texture() -> None:
    """White noise at half a pixel, in closed form: what a filter leaves of its energy is the sum of the squared taps."""
    moving = torch.rand(2, 1, 400, 400, generator=torch.Generator().manual_seed(0))
    row = torch.tensor([1.0, 2.0, 1.0]) / 4
    residual = -row[:, None] * row
    residual[1, 1] += 1
    wide = torch.zeros(3, 4)
    wide[:, :3] += residual / 2
    wide[:, 1:] += residual / 2
    field = torch.tensor([0.5, 0.0])[None, :, None, None].expand(2, 2, 400, 400)
    expected = (wide.square().sum() / residual.square().sum()).item()
    assert expected < 0.5
    torch.testing.assert_close(
        texture_kept(moving, warped(moving, field)), torch.full((2,), expected), atol=0.02, rtol=0
    )


def test_texture_lost_gained_and_absent() -> None:
    sharp = texture(2, 64, 64)[:, :1]
    blurred = avg_pool2d(sharp, 3, stride=1, padding=1)
    assert texture_kept(sharp, blurred).max() < 0.2
    assert texture_kept(blurred, sharp).min() > 5
    flat = texture_kept(torch.full((2, 1, 9, 9), 0.3), torch.full((2, 1, 9, 9), 0.7))
    torch.testing.assert_close(flat, torch.ones(2), atol=0.01, rtol=0)


def test_inverse_consistency_counts_where_the_field_stays_inside() -> None:
    assert inverse_consistency(shift_field(3, 0), shift_field(-3, 0)).tolist() == [0, 0]
    assert inverse_consistency(shift_field(3, 0), shift_field(0, 4)).tolist() == [5, 5]
    assert inverse_consistency(shift_field(WIDTH, 0), shift_field(0, 0)).isnan().all()
    edge = shift_field(-3, 0).clone()
    edge[..., -3:] = 100
    assert inverse_consistency(shift_field(3, 0), edge)[0] > 0
    edge = shift_field(-3, 0).clone()
    edge[..., :3] = 100
    assert inverse_consistency(shift_field(3, 0), edge).tolist() == [0, 0]
