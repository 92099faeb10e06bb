"""Labels keep off each other and off the data."""

from itertools import combinations

import numpy as np
import pytest

from src.leaderboard.label_placement import Box, place_labels

FRAME = (0.0, 0.0, 600.0, 400.0)


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def test_crowded_labels_cover_neither_each_other_nor_the_points_and_stay_inside() -> None:
    points = np.random.default_rng(0).uniform((20, 20), (580, 380), (14, 2))
    sizes = [(60.0, 12.0)] * len(points)
    found = place_labels([point[None] for point in points], sizes, points, FRAME, 1.0)
    boxes = [box for box, _ in found]
    assert not any(_overlap(a, b) for a, b in combinations(boxes, 2))
    for box in boxes:
        assert box[2] - box[0] == pytest.approx(60)
        assert box[0] >= 0
        assert box[1] >= 0
        assert box[2] <= 600
        assert box[3] <= 400
        inside = (points > box[:2]).all(axis=1) & (points < box[2:]).all(axis=1)
        assert not inside.any()


def test_a_lone_label_stands_close_and_a_label_with_several_anchors_takes_the_free_one() -> None:
    ((left, bottom, right, top), _), *_ = place_labels(
        [np.array([[300.0, 200.0]])], [(40.0, 10.0)], np.array([[300.0, 200.0]]), FRAME, 1.0
    )
    away = np.hypot(max(left - 300, 0, 300 - right), max(bottom - 200, 0, 200 - top))
    assert 1.5 <= away <= 6.5
    crowd = np.random.default_rng(1).uniform((50, 50), (250, 250), (4000, 2))
    anchors = np.array([[150.0, 150.0], [500.0, 300.0]])
    (_, anchor), *_ = place_labels([anchors], [(40.0, 10.0)], crowd, FRAME, 1.0)
    assert anchor == (500.0, 300.0)
