"""Broken settings do not decide what a panel shows."""

import numpy as np

from src.leaderboard.near_view import near_points


def test_a_point_far_off_in_either_coordinate_is_left_out_and_a_wide_cloud_is_kept() -> None:
    cloud = np.random.default_rng(0).uniform(0, 1, (30, 2)) * (0.05, 2.0) + (0.75, 13.0)
    assert near_points(cloud).all()
    broken = [(0.2, 14.0), (0.77, 29.0)]
    np.testing.assert_array_equal(near_points(np.vstack([broken, cloud])), [False] * 2 + [True] * 30)


def test_few_points_are_all_shown() -> None:
    assert near_points(np.array([[0.78, 14.0]] * 6 + [[0.2, 29.0]])).all()
