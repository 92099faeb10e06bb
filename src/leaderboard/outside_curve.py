"""Identity against Fréchet distance: does a method lie outside the curve that CodeFormer draws over its own w?

The curve joins CodeFormer's settings by straight lines, in the order of w. What it reaches is every pair of identity and
distance that some point of it is at least as good as in both. Outside is what it does not reach: the figure that
codeformer_plus_plus.md (section 9, A7) calls the most telling.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from src.leaderboard.frontier import Frontier, FrontierPoint
from src.leaderboard.row import Row, per_image_values
from src.leaderboard.setting import setting_text
from src.leaderboard.study import Ranking
from src.leaderboard.sweep import benchmark_labels
from src.metrics.statistics import COVERAGE, MINIMUM_IMAGES

HELD_AGAINST_THE_CURVE = ("codeformer_plus_plus",)
"""Restorers that claim to lie outside."""
_DRAWS_AT_ONCE = 2_000_000
_ROUNDING = 1e-9
"""A smaller margin is none: a method may give back the very faces of one w, whose mean is added up in another order."""

Position = Literal["outside", "inside", "past the faithful end", "past the near end"]
"""`past an end`: better in one than every w, and worse in the other than the w that is best in the one. It prolongs the
curve, which says nothing about such a trade."""
POSITIONS: tuple[Position, ...] = ("inside", "outside", "past the faithful end", "past the near end")


@dataclass(frozen=True)
class Margin:
    """How far a point is from the curve along one axis; above 0 is better than the curve."""

    value: float
    interval: tuple[float, float] | None
    """95 % over faces, paired with the curve's; the distances as measured. None without per-image identity."""


@dataclass(frozen=True)
class CurvePoint:
    """One w of CodeFormer."""

    fidelity: float
    identity: float
    distance: float


@dataclass(frozen=True)
class HeldPoint:
    """One setting of a method, held against the curve."""

    arm: str
    setting: str
    identity: float
    distance: float
    position: Position
    nearer: Margin
    """The least distance at which the curve keeps as much identity (where no w does: that of the most faithful w), minus
    this one's."""
    more_faithful: Margin
    """This one's identity, minus the most that the curve keeps at no larger distance (where no w comes as near: what the
    nearest w keeps)."""
    share: float | None
    """Of the resamples of the faces in which the position is the same; None without per-image identity."""

    @property
    def holds(self) -> bool:
        """Whether resampling the faces leaves the position as it is, at the level of a two-sided 95 % interval."""
        return self.share is not None and self.share >= (1 + COVERAGE) / 2


@dataclass(frozen=True)
class OutsideCurve:
    """The curve of one benchmark and what is held against it."""

    benchmark: str
    """As shown."""
    identity_metric: str
    """With whose identity it is, where that is not the true one."""
    distance_metric: str
    arm: str
    """Whose curve it is."""
    curve: tuple[CurvePoint, ...]
    """Two at least, by rising w."""
    points: tuple[HeldPoint, ...]
    n: int
    """Faces that identity is averaged over: those that all points and every w could be measured on."""
    n_distance: int
    """Faces of every distance."""

    @property
    def most_faithful(self) -> CurvePoint:
        """The w that keeps most identity."""
        return max(self.curve, key=lambda point: (point.identity, -point.distance))

    @property
    def nearest(self) -> CurvePoint:
        """The w of the least distance."""
        return min(self.curve, key=lambda point: (point.distance, -point.identity))

    @property
    def surpassed(self) -> tuple[CurvePoint, ...]:
        """Settings that another w beats in both: with them, w trades nothing for anything."""
        return tuple(
            point
            for point in self.curve
            if any(other.identity > point.identity and other.distance < point.distance for other in self.curve)
        )


def outside_curves(rankings: Sequence[Ranking], resamples: int, seed: int) -> list[OutsideCurve]:
    """One for every benchmark on which CodeFormer was measured at two w or more, and a method that claims to lie outside."""
    names = benchmark_labels([ranking.protocol.benchmark for ranking in rankings])
    found = (
        _of_ranking(ranking, ranking.frontier, name, resamples, seed)
        for ranking, name in zip(rankings, names, strict=True)
        if ranking.frontier is not None
    )
    return [entry for entry in found if entry is not None]


def margins(
    identities: Float[np.ndarray, "r k"],
    distances: Float[np.ndarray, " k"],
    identity: Float[np.ndarray, " r"],
    distance: float,
) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, " r"]]:
    """`HeldPoint.nearer` and `HeldPoint.more_faithful` of a point, in every one of r resamples.

    Args:
        identities: of the k settings of the curve, in the order in which they are joined.
        distances: of the same, alike in all resamples.
    """
    curve = np.broadcast_to(distances, identities.shape)
    nearer = _least(curve, identities, identity) - distance
    more_faithful = identity + _least(-identities, -curve, np.full_like(identity, -distance))
    return nearer, more_faithful


def places(
    identities: Float[np.ndarray, "r k"],
    distances: Float[np.ndarray, " k"],
    identity: Float[np.ndarray, " r"],
    distance: float,
) -> list[Position]:
    """Where a point lies in every one of r resamples; arguments as of `margins`."""
    nearer, more_faithful = margins(identities, distances, identity, distance)
    nearer = nearer / max(abs(distance), 1.0)
    past_faithful = (identity > identities.max(axis=1)) & (nearer < -_ROUNDING)
    past_near = (distance < distances.min()) & (more_faithful < -_ROUNDING)
    outside = (nearer > _ROUNDING) | (more_faithful > _ROUNDING)
    codes = np.select([past_faithful, past_near, outside], [2, 3, 1], 0)
    return [POSITIONS[code] for code in codes]


def margin_of(values: Float[np.ndarray, " r"]) -> Margin:
    """What was measured, and the percentile interval of the resamples behind it."""
    if len(values) == 1:
        return Margin(float(values[0]), None)
    tail = 100 * (1 - COVERAGE) / 2
    low, high = np.percentile(values[1:], [tail, 100 - tail])
    return Margin(float(values[0]), (float(low), float(high)))


def resampled_means(faces: Float[np.ndarray, "n m"], resamples: int, seed: int) -> Float[np.ndarray, "_ m"] | None:
    """Means over the faces, then over those of each resample, the same faces in every column; None with too few."""
    n = len(faces)
    if n < MINIMUM_IMAGES:
        return None
    rng = np.random.default_rng(seed)
    chunk = max(1, _DRAWS_AT_ONCE // n)
    means = [faces.mean(axis=0, keepdims=True)]
    for start in range(0, resamples, chunk):
        counts = rng.multinomial(n, np.full(n, 1 / n), size=min(chunk, resamples - start))
        means.append(counts @ faces / n)
    return np.concatenate(means)


def _least(
    cost: Float[np.ndarray, "r k"], level: Float[np.ndarray, "r k"], at: Float[np.ndarray, " r"]
) -> Float[np.ndarray, " r"]:
    """The least cost on the polygonal line where its level is `at` or above; at its highest level where none is.

    Cost and level are linear on a segment: the least is at a vertex, or where the segment crosses the level.
    """
    above = level - np.minimum(at, level.max(axis=1))[:, None]
    start, end = above[:, :-1], above[:, 1:]
    crosses: Bool[np.ndarray, "r segments"] = (start < 0) != (end < 0)
    share = np.divide(start, start - end, out=np.zeros_like(start), where=crosses)
    between = cost[:, :-1] + share * (cost[:, 1:] - cost[:, :-1])
    at_vertices = np.where(above >= 0, cost, np.inf).min(axis=1)
    return np.minimum(at_vertices, np.where(crosses, between, np.inf).min(axis=1))


def _of_ranking(ranking: Ranking, frontier: Frontier, benchmark: str, resamples: int, seed: int) -> OutsideCurve | None:
    curve = frontier.reference
    held = [point for point in frontier.points if point.restorer in HELD_AGAINST_THE_CURVE and not point.baseline]
    if len(curve) < 2 or not held:
        return None
    faces = _faces([_row_of(point, ranking.rows) for point in (*curve, *held)], frontier.identity_metric)
    found = resampled_means(faces, resamples, seed)
    # The first line is what was measured, those below are resamples.
    measured = np.array([[point.identity for point in (*curve, *held)]]) if found is None else found
    distances = np.array([point.distance for point in curve])
    k = len(curve)
    points = [_held(point, measured[:, :k], distances, measured[:, k + index]) for index, point in enumerate(held)]
    values = measured[0].tolist()
    return OutsideCurve(
        benchmark=benchmark,
        identity_metric=frontier.identity_label,
        distance_metric=frontier.distance_metric,
        arm=curve[0].arm,
        curve=tuple(CurvePoint(point.fidelity or 0.0, values[i], point.distance) for i, point in enumerate(curve)),
        points=tuple(points),
        n=frontier.n if found is None else len(faces),
        n_distance=frontier.n,
    )


def _row_of(point: FrontierPoint, rows: Sequence[Row]) -> Row:
    return next(
        row
        for row in rows
        if (row.arm, setting_text(row), row.fidelity, row.baseline) == (point.arm, point.setting, point.fidelity, False)
    )


def _faces(rows: Sequence[Row], metric: str) -> Float[np.ndarray, "n m"]:
    """Identity of every face that all rows could be measured on; without lines if one has no per-image values."""
    columns = [per_image_values(row.records, metric) for row in rows]
    if any(column.empty for column in columns):
        return np.empty((0, len(rows)))
    return pd.concat(columns, axis=1, join="inner").dropna().to_numpy(dtype=np.float64)


def _held(
    point: FrontierPoint,
    curve: Float[np.ndarray, "r k"],
    distances: Float[np.ndarray, " k"],
    identity: Float[np.ndarray, " r"],
) -> HeldPoint:
    nearer, more_faithful = margins(curve, distances, identity, point.distance)
    position, *others = places(curve, distances, identity, point.distance)
    return HeldPoint(
        arm=point.arm,
        setting=point.setting,
        identity=float(identity[0]),
        distance=point.distance,
        position=position,
        nearer=margin_of(nearer),
        more_faithful=margin_of(more_faithful),
        share=others.count(position) / len(others) if others else None,
    )
