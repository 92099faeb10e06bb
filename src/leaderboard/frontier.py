"""Fidelity against quality: identity kept against distance to clean faces, and which settings no other one beats."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from src.leaderboard.comparable import Protocol
from src.leaderboard.definition import direction_of, metric_for
from src.leaderboard.ranking import placed
from src.leaderboard.row import Row
from src.leaderboard.series import along, series_of
from src.leaderboard.setting import setting_text

REFERENCE_RESTORER = "codeformer"
CERTAINTY = "point estimates; the distance has no interval"
"""How sure it is what lies on the front and beyond the reference, said wherever they are shown."""


@dataclass(frozen=True)
class FrontierPoint:
    """One row as a point."""

    arm: str
    fidelity: float | None
    setting: str
    """The row's setting as shown, an en dash without one."""
    restorer: str
    identity: float
    """Higher is better."""
    identity_interval: tuple[float, float] | None
    """95 % over images."""
    distance: float
    """Fréchet distance; lower is better."""
    on_front: bool
    """No other row is at least as good in both and better in one; never true of a baseline."""
    baseline: bool
    beyond_reference: bool | None
    """Better in identity or in distance than every point of the reference curve; None for the curve's own points, and
    without a curve."""
    line: str | None = None
    """Label of the line that joins it to other settings of its arm; None of a baseline."""
    knob: str | None = None
    """What that line runs along."""
    along: float | None = None
    """The knob's value."""


@dataclass(frozen=True)
class Frontier:
    """Every comparable row of a ranking that has both metrics."""

    identity_metric: str
    distance_metric: str
    n: int
    """Faces that the distance stands on, in all points."""
    points: tuple[FrontierPoint, ...]
    reference: tuple[FrontierPoint, ...]
    """CodeFormer's own curve by rising w: that of the best placed arm which restores with it; empty without one."""
    to_input: bool = False
    """Whether identity is that of the degraded face, because no clean original is known."""

    @property
    def identity_label(self) -> str:
        """The identity metric with whose identity it is, where that is not the true one."""
        return f"identity to the input: {self.identity_metric}" if self.to_input else self.identity_metric


def frontier_of(rows: Sequence[Row], protocol: Protocol) -> Frontier | None:
    """The frontier of a ranking; None unless an arm has both an identity metric and a Fréchet distance.

    Identity is that of the original, or of the input where no original is known. What lies on the front or beyond the
    reference is decided by point values, since a distance has no interval.
    Rows whose distance stands on another number of faces are left out. Baselines take no part in the front: one of them
    is fed with what is to be restored.
    """
    distance = _metric(rows, protocol, "distribution", "lower")
    to_truth, to_input = (_metric(rows, protocol, role, "higher") for role in ("identity", "identity_to_input"))
    identity = to_truth or to_input
    if identity is None or distance is None:
        return None
    measured = {id(row): point for row in rows if (point := _point(row, identity, distance)) is not None}
    arms = [point for point in measured.values() if not point.baseline]
    if not arms:
        return None
    measured = _with_lines(rows, measured)
    curve = _reference(rows, measured)
    points = {
        key: replace(
            point,
            on_front=not point.baseline and not any(_dominates(other, point) for other in arms),
            beyond_reference=None if not curve or key in curve else not dominated_by_curve(point, list(curve.values())),
        )
        for key, point in measured.items()
    }
    return Frontier(
        identity_metric=identity,
        distance_metric=distance,
        n=protocol.measured[distance].n,
        points=tuple(points.values()),
        reference=tuple(points[key] for key in curve),
        to_input=to_truth is None,
    )


def _with_lines(rows: Sequence[Row], measured: dict[int, FrontierPoint]) -> dict[int, FrontierPoint]:
    found = dict(measured)
    for series in series_of([row for row in rows if id(row) in measured and not row.baseline]):
        for row in series.rows:
            place = along(row, series.knob)
            found[id(row)] = replace(measured[id(row)], line=series.label, knob=series.knob, along=place)
    return found


def dominated_by_curve(point: FrontierPoint, curve: Sequence[FrontierPoint]) -> bool:
    """Whether some point of the piecewise linear curve is at least as good in identity and in distance.

    Args:
        curve: one point at least, in the order in which they are joined.
    """
    segments = list(pairwise(curve)) or [(curve[0], curve[0])]
    return any(_dominated_by_segment(point, start, end) for start, end in segments)


def _dominated_by_segment(point: FrontierPoint, start: FrontierPoint, end: FrontierPoint) -> bool:
    """Both conditions are linear in the place t on the segment: each holds on an interval of t in [0, 1]."""
    identity = _where_positive(start.identity - point.identity, end.identity - point.identity)
    distance = _where_positive(point.distance - start.distance, point.distance - end.distance)
    if identity is None or distance is None:
        return False
    return max(identity[0], distance[0]) <= min(identity[1], distance[1])


def _where_positive(at_start: float, at_end: float) -> tuple[float, float] | None:
    """Where in [0, 1] the line between two values is not negative; None for nowhere."""
    if at_start < 0 and at_end < 0:
        return None
    if at_start >= 0 and at_end >= 0:
        return (0.0, 1.0)
    crossing = at_start / (at_start - at_end)
    return (0.0, crossing) if at_start >= 0 else (crossing, 1.0)


def _dominates(one: FrontierPoint, other: FrontierPoint) -> bool:
    as_good = one.identity >= other.identity and one.distance <= other.distance
    return as_good and (one.identity > other.identity or one.distance < other.distance)


def _reference(rows: Sequence[Row], measured: dict[int, FrontierPoint]) -> dict[int, FrontierPoint]:
    """Points by rising w of the best placed arm that restores with CodeFormer at several w or one; empty without."""
    for first in placed(rows):
        if first.records[0].record.restorer != REFERENCE_RESTORER or not first.has_knob:
            continue
        # Of an arm with other knobs than w, only the settings that share those with its best row are one curve.
        curve = [row for row in rows if row.ranked and (row.arm, row.setting) == (first.arm, first.setting)]
        ordered = sorted(curve, key=lambda row: row.fidelity or 0.0)
        return {id(row): measured[id(row)] for row in ordered if id(row) in measured}
    return {}


def _metric(rows: Sequence[Row], protocol: Protocol, role: str, direction: str) -> str | None:
    """The metric that stands for a role in the ranking, if it points into `direction`."""
    records = [entry.record for row in rows if row.ranked for entry in row.records]
    name = next((name for record in records if (name := metric_for(record, role)) is not None), None)
    if name is None or name not in protocol.measured:
        return None
    return name if direction_of(protocol.measured[name].definition) == direction else None


def _point(row: Row, identity: str, distance: str) -> FrontierPoint | None:
    cells = row.cells
    if row.status != "finished" or row.incomparable or identity not in cells or distance not in cells:
        return None
    kept, far = cells[identity], cells[distance]
    if kept.value is None or far.value is None or far.refused is not None:
        return None
    return FrontierPoint(
        arm=row.arm,
        fidelity=row.fidelity,
        setting=setting_text(row),
        restorer=row.records[0].record.restorer,
        identity=kept.value,
        identity_interval=kept.interval,
        distance=far.value,
        on_front=False,
        baseline=row.baseline,
        beyond_reference=None,
    )
