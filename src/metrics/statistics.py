"""Bootstrap intervals over images (conventions.md 7)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64

Direction = Literal["lower", "higher"]
"""Which side of a metric is better."""

RESAMPLES = 10_000
COVERAGE = 0.95
MINIMUM_IMAGES = 6
"""With fewer images no sign test reaches 5 % (2 / 2**5 > 0.05), while their bootstrap already claims some."""

_DRAWS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % percentile interval; the bounds are NaN below two images, all is NaN without any."""

    mean: float
    low: float
    high: float
    n: int
    """Images that the mean is over."""
    dropped: int
    """Images left out because a value is NaN."""

    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of zero; never with fewer than `MINIMUM_IMAGES` images."""
        return self.n >= MINIMUM_IMAGES and (self.low > 0 or self.high < 0)


def bootstrap_mean(values: Float[np.ndarray, " n"], resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Mean of the values that are not NaN, with the percentile interval of the mean of n draws with replacement."""
    kept = values[~np.isnan(values)].astype(np.float64)
    dropped = int(values.size - kept.size)
    if kept.size == 0:
        return Interval(float("nan"), float("nan"), float("nan"), 0, dropped)
    if kept.size == 1:
        return Interval(float(kept[0]), float("nan"), float("nan"), 1, dropped)
    tail = 100 * (1 - COVERAGE) / 2
    low, high = np.percentile(_resampled_means(kept, resamples, seed), [tail, 100 - tail])
    return Interval(float(kept.mean()), float(low), float(high), int(kept.size), dropped)


def paired_bootstrap(
    a: Float[np.ndarray, " n"], b: Float[np.ndarray, " n"], resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Interval of mean(a - b), where a[i] and b[i] belong to the same image; a pair with a NaN is dropped."""
    return bootstrap_mean(a.astype(np.float64) - b.astype(np.float64), resamples, seed)


def significantly_better(
    a: Float[np.ndarray, " n"],
    b: Float[np.ndarray, " n"],
    direction: Direction,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> bool:
    """Whether `a` is better than `b` and the paired interval excludes zero."""
    difference = paired_bootstrap(a, b, resamples, seed)
    wanted = difference.mean < 0 if direction == "lower" else difference.mean > 0
    return wanted and difference.excludes_zero()


def worst_decile(
    values: Float[np.ndarray, " n"], direction: Direction, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Mean over the worst tenth (rounded down, at least one) of the values that are not NaN, with its 95 % interval.

    The interval is the percentile one of the same mean in draws of all values with replacement; `n` counts the tenth.
    """
    kept = np.sort(values[~np.isnan(values)].astype(np.float64))
    if direction == "lower":
        kept = kept[::-1]
    dropped = int(values.size - kept.size)
    if kept.size < 2:
        return bootstrap_mean(values, resamples, seed)
    size = max(1, kept.size // 10)
    tail = 100 * (1 - COVERAGE) / 2
    low, high = np.percentile(_resampled_tails(kept, size, resamples, seed), [tail, 100 - tail])
    return Interval(float(kept[:size].mean()), float(low), float(high), size, dropped)


def _resampled_tails(
    ordered: Float64[np.ndarray, " n"], size: int, resamples: int, seed: int
) -> Float64[np.ndarray, " r"]:
    """Means of the first `size` of n sorted draws, for each of r resamples.

    The draws are not sorted but made in order: the i-th smallest of n uniform numbers is the sum of i of n + 1 standard
    exponentials over the sum of all (Rényi 1953), so that a tenth of the draws is enough.
    """
    rng = np.random.default_rng(seed)
    chunk = max(1, _DRAWS_AT_ONCE // size)
    means = np.empty(resamples)
    for start in range(0, resamples, chunk):
        stop = min(start + chunk, resamples)
        sums = rng.standard_exponential((stop - start, size)).cumsum(axis=1)
        rest = rng.standard_gamma(ordered.size + 1 - size, (stop - start, 1))
        draws = (sums / (sums[:, -1:] + rest) * ordered.size).astype(np.int64)
        means[start:stop] = ordered[draws].mean(axis=1)
    return means


def _resampled_means(values: Float64[np.ndarray, " n"], resamples: int, seed: int) -> Float64[np.ndarray, " r"]:
    rng = np.random.default_rng(seed)
    chunk = max(1, _DRAWS_AT_ONCE // values.size)
    means = np.empty(resamples)
    for start in range(0, resamples, chunk):
        stop = min(start + chunk, resamples)
        draws = rng.integers(values.size, size=(stop - start, values.size), dtype=np.int32)
        means[start:stop] = values[draws].mean(axis=1)
    return means
