"""Bootstrap intervals against closed forms."""

import numpy as np
import pytest

from src.metrics.statistics import (
    MINIMUM_IMAGES,
    bootstrap_mean,
    paired_bootstrap,
    significantly_better,
    worst_decile,
)


def test_interval_of_a_normal_mean_has_the_closed_form_width() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, 2000)
    interval = bootstrap_mean(values, 10_000, seed=1)
    half_width = (interval.high - interval.low) / 2
    assert interval.mean == pytest.approx(values.mean())
    assert half_width == pytest.approx(1.96 * values.std() / np.sqrt(values.size), rel=0.05)


def test_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for trial in range(300):
        interval = bootstrap_mean(rng.exponential(1.0, 100), 500, seed=trial)
        covered += interval.low <= 1.0 <= interval.high
    assert 0.89 <= covered / 300 <= 0.98


def test_chunks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(3).normal(size=50)
    whole = bootstrap_mean(values, 1000, seed=4)
    monkeypatch.setattr("src.metrics.statistics._DRAWS_AT_ONCE", 70)
    assert bootstrap_mean(values, 1000, seed=4) == whole
    assert bootstrap_mean(values, 1000, seed=5) != whole


def test_pairing_removes_what_the_faces_have_in_common() -> None:
    rng = np.random.default_rng(6)
    difficulty = rng.normal(0, 10.0, 200)
    a, b = difficulty + rng.normal(0, 0.1, 200), difficulty + 0.2 + rng.normal(0, 0.1, 200)
    interval = paired_bootstrap(a, b)
    assert interval.mean == pytest.approx(-0.2, abs=0.03)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 0.1 * np.sqrt(2 / 200), rel=0.15)
    assert significantly_better(a, b, "lower")
    assert not significantly_better(a, b, "higher")
    assert not significantly_better(b, a, "lower")


def test_nans_are_dropped_by_pair_and_counted() -> None:
    a = np.array([1.0, np.nan, 3.0, 4.0], dtype=np.float32)
    b = np.array([0.0, 1.0, np.nan, 2.0], dtype=np.float32)
    interval = paired_bootstrap(a, b)
    assert (interval.mean, interval.n, interval.dropped) == (1.5, 2, 2)


def test_nothing_is_claimed_from_too_few_or_equal_images() -> None:
    few = np.arange(MINIMUM_IMAGES - 1, dtype=float)
    enough = np.arange(MINIMUM_IMAGES, dtype=float)
    assert not significantly_better(few + 1, few, "higher")
    assert significantly_better(enough + 1, enough, "higher")
    assert not significantly_better(enough, enough, "higher")
    assert np.isnan(bootstrap_mean(np.array([1.0])).low)
    assert np.isnan(bootstrap_mean(np.array([np.nan])).mean)


def test_the_worst_tenth_is_on_the_bad_side_and_rounded_down() -> None:
    values = np.random.default_rng(7).permutation(np.arange(100.0, dtype=np.float32))
    assert worst_decile(values, "higher", 200).mean == pytest.approx(np.arange(10).mean())
    assert worst_decile(values, "lower", 200).mean == pytest.approx(np.arange(90, 100).mean())
    nineteen = worst_decile(values[values < 19], "lower", 200)
    assert (nineteen.mean, nineteen.n) == (18, 1)
    holed = worst_decile(np.append(values, np.nan), "lower", 200)
    assert (holed.n, holed.dropped) == (10, 1)
    assert holed.mean == worst_decile(values, "lower", 200).mean
    mirrored = worst_decile(-values, "higher", 200)
    lower = worst_decile(values, "lower", 200)
    assert (mirrored.mean, mirrored.low, mirrored.high) == pytest.approx((-lower.mean, -lower.high, -lower.low))


def test_the_interval_of_the_worst_tenth_is_that_of_sorted_resamples() -> None:
    rng = np.random.default_rng(8)
    values = rng.gamma(2.0, 1.0, 85)
    draws = np.sort(values[rng.integers(85, size=(40_000, 85))], axis=1)
    expected = np.percentile(draws[:, -8:].mean(axis=1), [2.5, 97.5])
    found = worst_decile(values, "lower", 40_000, seed=9)
    assert found.n == 8
    assert (found.low, found.high) == pytest.approx(tuple(expected), rel=0.01)


def test_the_worst_of_one_and_of_none() -> None:
    assert worst_decile(np.array([2.0, np.nan]), "lower").mean == 2.0
    assert np.isnan(worst_decile(np.array([2.0]), "lower").low)
    assert worst_decile(np.array([np.nan]), "lower").n == 0
