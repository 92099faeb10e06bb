"""The numbers of a sweep as a grid."""

from collections.abc import Sequence

from src.leaderboard.against_reference import PIXEL_ERROR, Compared
from src.leaderboard.cells import EMPTY, short
from src.leaderboard.definition import ARROWS
from src.leaderboard.render import Grid, decimals, number, with_interval
from src.leaderboard.sweep import SweepLine, known_values, roles_of


def sweep_grid(lines: Sequence[SweepLine], moving: str) -> Grid:
    """What is refined, alone, then a line a setting: each role, in brackets its paired change from that.

    Args:
        moving: heading of what the lines run along.
    """
    roles = roles_of(lines)
    rows = []
    for line in lines:
        name = (short(line.arm), ", ".join(line.fixed), line.place.benchmark, line.place.state)
        rows.append((*name, "alone", *(_alone(line, role) for role in roles)))
        for point in line.points:
            rows.append((*name, f"{point.at:g}", *(_cell(role, point.values.get(role)) for role in roles)))
    headings = ("arm", "setting", "degradations", "training recipe", moving)
    return Grid((*headings, *(role_heading(role, lines) for role in roles)), tuple(rows), keys=5)


def role_heading(role: str, lines: Sequence[SweepLine]) -> str:
    """What a panel or a column of one role shows, with an arrow to the better side."""
    if role == PIXEL_ERROR:
        return f"pixel error / {lines[0].refinement.noun}'s ↓"
    first = next(entry for line in lines for _, entry in known_values(line, role))
    return f"{first.metric} {ARROWS[first.direction]}"


def _alone(line: SweepLine, role: str) -> str:
    known = known_values(line, role)
    return number(known[0][1].reference) if known else EMPTY


def _cell(role: str, entry: Compared | None) -> str:
    if entry is None:
        return EMPTY
    if role == PIXEL_ERROR or entry.change is None:
        return with_interval(entry.value, entry.bounds)
    change, digits = entry.change, decimals(entry.value)
    return f"{number(entry.value, digits)} ({with_interval(change.mean, (change.low, change.high), digits)})"
