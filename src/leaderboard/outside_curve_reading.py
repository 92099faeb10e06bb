"""What is known of where a method lies against CodeFormer's own curve, in a sentence a point and in numbers."""

from collections.abc import Sequence

from src.leaderboard.cells import EMPTY, short
from src.leaderboard.outside_curve import HeldPoint, Margin, OutsideCurve, Position
from src.leaderboard.render import Grid, number, with_interval
from src.leaderboard.setting import NO_SETTING

_LIES: dict[Position, str] = {
    "outside": "lies outside {curve}",
    "inside": "lies on or inside {curve}: some w is at least as good in both",
    "past the faithful end": "lies past the faithful end of {curve}, in a trade on which the curve says nothing",
    "past the near end": "lies past the near end of {curve}, in a trade on which the curve says nothing",
}


def outside_readings(found: OutsideCurve) -> list[str]:
    """A sentence a point, and one about a curve that is no trade-off throughout."""
    return [*(_reading(point, found) for point in found.points), *_curve_caution(found)]


def _curve_caution(found: OutsideCurve) -> list[str]:
    surpassed = ", ".join(f"{point.fidelity:g}" for point in found.surpassed)
    if not surpassed:
        return []
    return [
        f"The w curve of {found.arm} on {found.benchmark} trades nothing at w {surpassed}: another w has more identity and "
        "less distance. To lie outside such a curve says little."
    ]


def _reading(point: HeldPoint, found: OutsideCurve) -> str:
    """Where a point lies, in what share of the resamples of the faces it does, and by how much."""
    name = point.arm if point.setting == NO_SETTING else f"{point.arm} ({point.setting})"
    lies = _LIES[point.position].format(curve=f"the w curve of {found.arm} on {found.benchmark}")
    return f"{name} {lies}, {_certainty(point, found)}: {_nearer(point, found)}; {_more_faithful(point, found)}."


def outside_grid(curves: Sequence[OutsideCurve]) -> Grid:
    """Every w of the curve, then the points held against it with their margins."""
    rows = [
        row for found in curves for row in (*_curve_rows(found), *(_point_row(point, found) for point in found.points))
    ]
    headings = (
        *("arm", "setting", "benchmark", "against the w curve"),
        *(f"{curves[0].identity_metric} ↑", f"{curves[0].distance_metric} ↓"),
        *("lower in distance by", "higher in identity by", "share of resamples", "faces"),
    )
    return Grid(headings, tuple(rows), keys=4)


def _certainty(point: HeldPoint, found: OutsideCurve) -> str:
    if point.share is None:
        return "by point values alone (no resampling: too few faces have values of their own)"
    share = f"in {_percent(point.share)} of resamples of the {found.n} faces, the distances as measured"
    return share if point.holds else f"by point values but not surely: {share}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _nearer(point: HeldPoint, found: OutsideCurve) -> str:
    most = found.most_faithful
    beyond = point.identity > most.identity
    where = f"at the most faithful w ({most.fidelity:g})" if beyond else "where the curve keeps as much identity"
    return f"{found.distance_metric} {_by(point.nearer, 'lower', 'higher')} than {where}"


def _more_faithful(point: HeldPoint, found: OutsideCurve) -> str:
    nearest = found.nearest
    beyond = point.distance < nearest.distance
    where = f"at the w of the least distance ({nearest.fidelity:g})" if beyond else "where the curve comes as near"
    return f"{found.identity_metric} {_by(point.more_faithful, 'higher', 'lower')} than {where}"


def _by(margin: Margin, better: str, worse: str) -> str:
    """The margin as a positive number, its interval turned with it."""
    if margin.value >= 0:
        return f"{better} by {with_interval(margin.value, margin.interval)}"
    low, high = margin.interval or (0.0, 0.0)
    return f"{worse} by {with_interval(-margin.value, (-high, -low) if margin.interval else None)}"


def _curve_rows(found: OutsideCurve) -> list[tuple[str, ...]]:
    return [
        (
            *(short(found.arm), f"w {point.fidelity:g}", found.benchmark, "the curve"),
            *(number(point.identity), number(point.distance), EMPTY, EMPTY, EMPTY, str(found.n)),
        )
        for point in found.curve
    ]


def _point_row(point: HeldPoint, found: OutsideCurve) -> tuple[str, ...]:
    return (
        *(short(point.arm), point.setting, found.benchmark, point.position),
        *(number(point.identity), number(point.distance)),
        with_interval(point.nearer.value, point.nearer.interval),
        with_interval(point.more_faithful.value, point.more_faithful.interval),
        EMPTY if point.share is None else _percent(point.share),
        str(found.n),
    )
