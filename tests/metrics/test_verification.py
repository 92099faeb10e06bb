"""Verification of identities."""

import math

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from src.metrics.verification import area_under_curve, pair_cosines


def test_every_pair_appears_once() -> None:
    angles = np.deg2rad([0, 30, 90])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    cosines, same = pair_cosines(embeddings, np.array([7, 7, 2]))
    np.testing.assert_allclose(cosines, np.cos(np.deg2rad([30, 90, 60])), atol=1e-12)
    assert same.tolist() == [True, False, False]


def test_area_equals_mann_whitney_with_ties() -> None:
    generator = np.random.default_rng(0)
    scores = generator.integers(0, 12, 200) / 12.0
    positive = generator.random(200) < 0.3
    scores[positive] += generator.integers(0, 3, positive.sum()) / 12.0
    u = mannwhitneyu(scores[positive], scores[~positive]).statistic
    assert area_under_curve(scores, positive) == pytest.approx(u / (positive.sum() * (~positive).sum()), rel=1e-12)


def test_ends_of_the_range() -> None:
    scores = np.array([0.1, 0.2, 0.8, 0.9])
    positive = np.array([False, False, True, True])
    assert area_under_curve(scores, positive) == 1
    assert area_under_curve(-scores, positive) == 0
    assert area_under_curve(np.ones(4), positive) == 0.5
    assert math.isnan(area_under_curve(scores, np.ones(4, dtype=bool)))
