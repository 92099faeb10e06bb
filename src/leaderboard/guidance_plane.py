"""Identity against Fréchet distance under identity guidance: a curve a mask, over the scale (clr_face.md 9, B7).

Identity is that of a judge that never guided. What the recogniser that guided sees stands beside it: where it sees more
gain than the judge, the guidance fits the recogniser rather than the person.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from src.leaderboard.definition import metric_for
from src.leaderboard.guidance_dominance import Duel, HeldScale, Measured, duel, held_scale
from src.leaderboard.knobs import Setting
from src.leaderboard.outside_curve import resampled_means
from src.leaderboard.row import Row, per_image_values
from src.leaderboard.setting import knob_texts
from src.leaderboard.study import Ranking
from src.leaderboard.sweep import benchmark_labels, others
from src.metrics.statistics import Interval, paired_bootstrap
from src.settings.clr_face import MASKS, TARGETS
from src.settings.metric_roles import GUIDE_ROLE

_KINDS = ("mask", "target", "gradient")
_RARELY_CHANGED = ("constraint", "window", "every", "limit")
"""Named by a record only where they are not the usual ones."""
GUIDANCE_KNOBS = ("scale", *_KINDS, *_RARELY_CHANGED)
JUDGE, DISTANCE = "identity", "distribution"
LEARNED = ("learned", "learned_hard")
ONES = "ones"
RECOVERED = "recovered"
_FEWEST = 2
"""Guided settings."""


@dataclass(frozen=True)
class PlanePoint:
    """One setting; changes are paired differences to no guidance, None without per-image values and of no guidance itself."""

    scale: float
    identity: float
    """By the judge, over the faces that all settings could be measured on."""
    distance: float
    guide_identity: float | None
    """By the guide, over the same faces; None where it was not measured."""
    gain: Interval | None = None
    """Change in identity by the judge."""
    guide_gain: Interval | None = None
    """Change in identity by the guide."""
    overfit: Interval | None = None
    """How far the guide's gain of a face exceeds the judge's."""


class GuidanceKind(NamedTuple):
    """How a face is guided, but for the scale."""

    mask: str
    target: str
    gradient: str
    rest: tuple[str, ...] = ()
    """Window, cadence, limit and constraint where they are not the usual ones, as shown."""


@dataclass(frozen=True)
class GuidedCurve:
    """The scales of one kind of guidance."""

    kind: GuidanceKind
    points: tuple[PlanePoint, ...]
    """By rising scale, without the one of no guidance."""


@dataclass(frozen=True)
class Contest:
    """A learned mask against the mask of ones, in guidance that is otherwise the same."""

    kind: GuidanceKind
    """With the learned mask."""
    duels: tuple[Duel, ...]
    """Of the scales that both have."""
    held: tuple[HeldScale, ...]
    """Of all scales of the learned mask; empty with too few faces."""


@dataclass(frozen=True)
class GuidancePlane:
    """One arm on one benchmark, at equal other knobs."""

    arm: str
    fixed: tuple[str, ...]
    """The knobs that all points share, as shown."""
    benchmark: str
    judge: str
    """Metric of identity."""
    guide: str | None
    """The same by the recogniser that guided; None where not all settings were measured by it."""
    distance: str
    unguided: PlanePoint
    curves: tuple[GuidedCurve, ...]
    contests: tuple[Contest, ...]
    n: int
    """Faces that identity is averaged over."""
    n_distance: int
    """Faces of every distance."""


def guidance_planes(rankings: Sequence[Ranking], resamples: int, seed: int) -> list[GuidancePlane]:
    """One for every benchmark and arm with two guided settings or more that differ from an unguided one in guidance alone;
    at that combination of the arm's other knobs which has most settings.
    """
    names = benchmark_labels([ranking.protocol.benchmark for ranking in rankings])
    found = []
    for ranking, name in zip(rankings, names, strict=True):
        for rows in _by_arm(ranking.rows):
            groups = (_around_unguided(group) for group in _by_other_knobs(rows))
            largest = max(groups, key=len)
            if len(largest) > _FEWEST:
                found.append(_plane(largest, name, resamples, seed))
    return found


def _by_arm(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that say how they were guided and have a place in the plane."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if (
            row.comparable
            and "scale" in dict(row.setting)
            and all(_value(row, role) is not None for role in (JUDGE, DISTANCE))
        ):
            found[row.arm].append(row)
    return list(found.values())


def _by_other_knobs(rows: Sequence[Row]) -> list[list[Row]]:
    found: dict[Setting, list[Row]] = defaultdict(list)
    for row in rows:
        found[others(dict(row.setting), *GUIDANCE_KNOBS)].append(row)
    return list(found.values())


def _around_unguided(rows: Sequence[Row]) -> list[Row]:
    """The unguided row, then the guided ones by rising scale; empty without an unguided one."""
    ordered = sorted(rows, key=_scale)
    return ordered if _scale(ordered[0]) == 0 else []


def _scale(row: Row) -> float:
    return float(dict(row.setting)["scale"])


def _metric(row: Row, role: str) -> str | None:
    return metric_for(row.records[0].record, role)


def _value(row: Row, role: str) -> float | None:
    cell = row.cells.get(_metric(row, role) or "")
    return None if cell is None or cell.refused else cell.value


@dataclass(frozen=True)
class _Faces:
    """Per-image identities, one column a row; None without."""

    judge: Float[np.ndarray, "n k"] | None
    guide: Float[np.ndarray, "n k"] | None


def _plane(rows: Sequence[Row], benchmark: str, resamples: int, seed: int) -> GuidancePlane:
    first = rows[0]
    judge, guide, distance = (_metric(first, role) for role in (JUDGE, GUIDE_ROLE, DISTANCE))
    assert judge is not None
    assert distance is not None
    seen_by_guide = all(_value(row, GUIDE_ROLE) is not None for row in rows)
    faces = _faces(rows, judge, guide if seen_by_guide else None)
    points = [_point(place, row, faces, resamples, seed) for place, row in enumerate(rows)]
    means = None if faces.judge is None else resampled_means(faces.judge, resamples, seed)
    measured = Measured(faces.judge, means, np.array([point.distance for point in points]))
    own = _curves(rows)
    return GuidancePlane(
        arm=first.arm,
        fixed=tuple(knob_texts(dict(others(dict(first.setting), *GUIDANCE_KNOBS)))),
        benchmark=benchmark,
        judge=judge,
        guide=guide if seen_by_guide else None,
        distance=distance,
        unguided=points[0],
        curves=tuple(
            GuidedCurve(kind, tuple(points[place] for place in own[kind])) for kind in sorted(own, key=_order)
        ),
        contests=tuple(_contests(own, points, measured, resamples, seed)),
        n=first.cells[judge].n if faces.judge is None else len(faces.judge),
        n_distance=first.cells[distance].n,
    )


def _faces(rows: Sequence[Row], judge: str, guide: str | None) -> _Faces:
    """Over the faces that both recognisers could measure in all rows."""
    by_judge = _table(rows, judge)
    by_guide = None if guide is None else _table(rows, guide)
    if by_judge is None or by_guide is None:
        return _Faces(*(None if table is None else table.to_numpy(dtype=np.float64) for table in (by_judge, by_guide)))
    common = by_judge.index.intersection(by_guide.index)
    by_judge, by_guide = by_judge.loc[common], by_guide.loc[common]
    return _Faces(by_judge.to_numpy(dtype=np.float64), by_guide.to_numpy(dtype=np.float64))


def _table(rows: Sequence[Row], metric: str) -> pd.DataFrame | None:
    columns = [per_image_values(row.records, metric) for row in rows]
    if any(column.empty for column in columns):
        return None
    table = pd.concat(columns, axis=1, join="inner").dropna()
    return None if table.empty else table


def _point(place: int, row: Row, faces: _Faces, resamples: int, seed: int) -> PlanePoint:
    identity, distance, by_guide = (_value(row, role) for role in (JUDGE, DISTANCE, GUIDE_ROLE))
    assert identity is not None
    assert distance is not None
    gains = [None if table is None else table[:, place] - table[:, 0] for table in (faces.judge, faces.guide)]
    judge_gain, guide_gain = gains if place > 0 else (None, None)
    return PlanePoint(
        scale=_scale(row),
        identity=identity if faces.judge is None else float(faces.judge[:, place].mean()),
        distance=distance,
        guide_identity=by_guide if faces.guide is None else float(faces.guide[:, place].mean()),
        gain=_paired(judge_gain, resamples, seed),
        guide_gain=_paired(guide_gain, resamples, seed),
        overfit=None
        if judge_gain is None or guide_gain is None
        else paired_bootstrap(guide_gain, judge_gain, resamples, seed),
    )


def _paired(gain: Float[np.ndarray, " n"] | None, resamples: int, seed: int) -> Interval | None:
    return None if gain is None else paired_bootstrap(gain, np.zeros_like(gain), resamples, seed)


def _curves(rows: Sequence[Row]) -> dict[GuidanceKind, list[int]]:
    """Places of the guided rows, by kind, each by rising scale."""
    found: dict[GuidanceKind, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        if _scale(row) > 0:
            found[_kind(dict(row.setting))].append(place)
    return found


def _kind(knobs: dict[str, str]) -> GuidanceKind:
    rest = {name: value for name, value in knobs.items() if name in _RARELY_CHANGED}
    mask, target, gradient = (knobs.get(name, "") for name in _KINDS)
    return GuidanceKind(mask, target, gradient, tuple(knob_texts(rest)))


def _order(kind: GuidanceKind) -> tuple[int, int, GuidanceKind]:
    """Masks and targets as the settings name them."""
    mask, target = (
        names.index(name) if name in names else len(names)
        for names, name in ((MASKS, kind.mask), (TARGETS, kind.target))
    )
    return mask, target, kind


def _contests(
    curves: dict[GuidanceKind, list[int]], points: Sequence[PlanePoint], measured: Measured, resamples: int, seed: int
) -> list[Contest]:
    found = []
    for kind in sorted(curves, key=_order):
        ones = curves.get(kind._replace(mask=ONES))
        if kind.mask in LEARNED and ones:
            own = curves[kind]
            rivals = {points[place].scale: place for place in ones}
            scales = [(points[place].scale, place) for place in own]
            duels = [
                duel(measured, scale, place, rivals[scale], resamples, seed)
                for scale, place in scales
                if scale in rivals
            ]
            held = (held_scale(measured, scale, place, [0, *ones]) for scale, place in scales)
            found.append(Contest(kind, tuple(duels), tuple(entry for entry in held if entry is not None)))
    return found
