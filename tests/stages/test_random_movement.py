"""Faces moved at random with their landmarks."""

import torch

from src.degradation.keyed import SampleKey
from src.losses.landmark import gaussian_heatmaps
from src.networks.landmark_detector import heatmap_means
from src.registration.jacobian import determinant
from src.stages.random_movement import moved_at_random, random_field

KEYS = [SampleKey(0, 1, place) for place in range(4)]


def test_what_is_drawn_into_the_faces_moves_with_the_points() -> None:
    places = 0.3 + 0.4 * torch.rand(4, 5, 2, generator=torch.Generator().manual_seed(0))
    dots = gaussian_heatmaps(places, (64, 64), sigma=1.5)
    moved = moved_at_random(dots, 64 * places, KEYS, 0.06)
    middles = 64 * heatmap_means(moved.faces / moved.faces.sum((2, 3), keepdim=True))
    assert (moved.points - 64 * places).norm(dim=2).mean() > 2
    assert (middles - moved.points).norm(dim=2).max() < 0.3


def test_movements_are_smooth_within_reach_and_fold_nothing() -> None:
    keys = [SampleKey(0, iteration, 0) for iteration in range(200)]
    field = random_field(keys, 64, 1 / 16)
    assert 4 < field.abs().max() < 2 * 4 * 1.3, "bicubic interpolation may overshoot"
    assert field.mean((2, 3)).abs().max() > 3
    assert determinant(field).min() > 0.1
    assert abs(field.mean().item()) < 0.3


def test_a_movement_depends_on_its_key_and_the_side_alone() -> None:
    assert torch.equal(random_field(KEYS[2:], 64, 0.06), random_field(KEYS, 64, 0.06)[2:])
    assert not torch.equal(random_field([SampleKey(0, 2, 0)], 64, 0.06), random_field(KEYS[:1], 64, 0.06))
    small, large = random_field(KEYS, 33, 0.06), random_field(KEYS, 65, 0.06)
    torch.testing.assert_close(large[..., ::2, ::2] / 65, small / 33)


def test_without_reach_nothing_moves() -> None:
    faces, points = torch.rand(4, 3, 32, 32), 32 * torch.rand(4, 68, 2)
    moved = moved_at_random(faces, points, KEYS, 0.0)
    assert torch.equal(moved.faces, faces)
    torch.testing.assert_close(moved.points, points)
