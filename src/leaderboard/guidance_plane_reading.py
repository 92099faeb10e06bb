"""What is known of identity guidance: whether a learned mask pays, what guidance brings, and what of it is over-fitting."""

from collections.abc import Iterator, Sequence

from src.leaderboard.cells import EMPTY, short
from src.leaderboard.guidance_dominance import OUTCOMES, Duel, HeldScale
from src.leaderboard.guidance_plane import RECOVERED, Contest, GuidanceKind, GuidancePlane, GuidedCurve, PlanePoint
from src.leaderboard.outside_curve import POSITIONS, Position
from src.leaderboard.render import Grid, number, with_interval
from src.metrics.statistics import Interval

_LIES: dict[Position, str] = {
    "outside": "outside it",
    "inside": "on or inside it",
    "past the faithful end": "past its faithful end, in a trade on which it says nothing",
    "past the near end": "past its near end, in a trade on which it says nothing",
}


def kind_name(kind: GuidanceKind) -> str:
    """Mask, and whatever else is not the usual: `learned, oracle target, full gradient, every 2`."""
    target = [] if kind.target == RECOVERED else [f"{kind.target} target"]
    gradient = ["full gradient"] if kind.gradient == "full" else []
    return ", ".join([kind.mask.replace("_", " "), *target, *gradient, *kind.rest])


def guidance_readings(plane: GuidancePlane) -> list[str]:
    """Up to two sentences a learned mask against ones, then one on what guidance brings over none and one on over-fitting."""
    settings = f" ({', '.join(plane.fixed)})" if plane.fixed else ""
    where = f"{plane.arm}{settings} on {plane.benchmark}, n = {plane.n}"
    contests = [text for contest in plane.contests for text in _contest(contest, plane)]
    texts = [*contests, _gains(plane), *_overfit(plane)]
    return [f"{where}: {text}." for text in texts]


def guidance_grid(planes: Sequence[GuidancePlane]) -> Grid:
    """A line a setting, the unguided first; in brackets paired changes from it."""
    rows = [row for plane in planes for row in _rows(plane)]
    first = planes[0]
    headings = (
        *("arm", "setting", "benchmark", "guidance", "scale", f"{first.judge} ↑", f"{first.distance} ↓"),
        *(
            f"{next((plane.guide for plane in planes if plane.guide), 'identity by the guide')} ↑",
            "guide's gain − judge's",
        ),
    )
    return Grid(headings, tuple(rows), keys=5)


def _contest(contest: Contest, plane: GuidancePlane) -> Iterator[str]:
    name = kind_name(contest.kind)
    by_outcome = {outcome: [each for each in contest.duels if each.outcome == outcome] for outcome in OUTCOMES}
    parts = [f"{outcome} at {_duels(own, plane)}" for outcome, own in by_outcome.items() if own]
    if parts:
        yield f"at equal scale, mask {name} against ones {'; '.join(parts)}"
    by_position = {position: [each for each in contest.held if each.position == position] for position in POSITIONS}
    lies = [f"{_LIES[position]} at {_held(own)}" for position, own in by_position.items() if own]
    if lies:
        yield (
            f"against the curve of the mask of ones as a whole, from no guidance on, mask {name} lies {'; '.join(lies)} "
            "(in brackets identity beyond what the curve keeps at no larger distance; distances as measured)"
        )


def _duels(duels: Sequence[Duel], plane: GuidancePlane) -> str:
    return ", ".join(
        f"scale {each.scale:g} ({plane.judge} {_signed_interval(each.identity)}, {plane.distance} {_signed(each.distance)})"
        for each in duels
    )


def _held(held: Sequence[HeldScale]) -> str:
    return ", ".join(
        f"scale {each.scale:g} ({_plus(each.more_faithful.value)}"
        f"{with_interval(each.more_faithful.value, each.more_faithful.interval)}{_certainty(each)})"
        for each in held
    )


def _certainty(held: HeldScale) -> str:
    return "" if held.holds else f", not surely: in {100 * held.share:.1f} % of resamples of the faces"


def _gains(plane: GuidancePlane) -> str:
    """What guidance brings over none, of each curve at the scale that keeps most identity."""
    start = plane.unguided
    none = f"{plane.judge} {number(start.identity)}, {plane.distance} {number(start.distance)}"
    parts = [
        _gain(curve, max(curve.points, key=lambda point: point.identity), start.distance) for curve in plane.curves
    ]
    return f"guidance against none ({none}), each mask at its scale of most identity: {'; '.join(parts)}"


def _gain(curve: GuidedCurve, best: PlanePoint, unguided: float) -> str:
    far = f"distance {_signed(best.distance - unguided)}"
    if best.gain is None:
        return f"{kind_name(curve.kind)} at {best.scale:g}, identity {number(best.identity)}, {far}"
    told = {1: "gained", -1: "lost", 0: "not told apart"}[_sign(best.gain)]
    return f"{kind_name(curve.kind)} at {best.scale:g}, identity {_signed_interval(best.gain)} {told}, {far}"


def _overfit(plane: GuidancePlane) -> Iterator[str]:
    """How far identity rises beyond the judge's by the guide, of each curve at the scale that the guide likes most."""
    parts = []
    for curve in plane.curves:
        seen = [point for point in curve.points if point.overfit is not None]
        if seen:
            parts.append(_beyond(curve, max(seen, key=lambda point: point.guide_identity or 0.0)))
    if parts:
        yield f"over-fitting to the guide, each mask at its scale of most identity by {plane.guide}: {'; '.join(parts)}"


def _beyond(curve: GuidedCurve, point: PlanePoint) -> str:
    excess = point.overfit
    assert excess is not None
    told = "" if _sign(excess) else ", not told from none"
    gains = f"guide {_signed_interval(point.guide_gain)}, judge {_signed_interval(point.gain)}"
    return f"{kind_name(curve.kind)} at {point.scale:g}, {gains}, excess {_signed_interval(excess)}{told}"


def _sign(change: Interval) -> int:
    return (1 if change.mean > 0 else -1) if change.excludes_zero() else 0


def _signed(value: float) -> str:
    return _plus(value) + number(value)


def _signed_interval(change: Interval | None) -> str:
    if change is None:
        return EMPTY
    return _plus(change.mean) + with_interval(change.mean, (change.low, change.high))


def _plus(value: float) -> str:
    return "+" if value > 0 else ""


def _rows(plane: GuidancePlane) -> Iterator[tuple[str, ...]]:
    keys = (short(plane.arm), ", ".join(plane.fixed), plane.benchmark)
    yield (*keys, "none", "0", *_cells(plane.unguided))
    for curve in plane.curves:
        for point in curve.points:
            yield (*keys, kind_name(curve.kind), f"{point.scale:g}", *_cells(point))


def _cells(point: PlanePoint) -> tuple[str, ...]:
    identity, by_guide = (
        number(value) + (f" ({_signed_interval(change)})" if change else "")
        for value, change in ((point.identity, point.gain), (point.guide_identity, point.guide_gain))
    )
    return identity, number(point.distance), by_guide, _signed_interval(point.overfit)
