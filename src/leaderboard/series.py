"""The lines of a chart: settings of one arm that differ in one knob alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from src.leaderboard.row import Row
from src.leaderboard.setting import knob_texts

FIDELITY = "fidelity"
_FIRST = (FIDELITY, "start")
"""Knobs that trade fidelity for quality: a line runs along the first of these that an arm varies."""


@dataclass(frozen=True)
class Series:
    """Rows that one line joins."""

    label: str
    """The arm, and its other knobs where it has several lines."""
    knob: str | None
    """What the line runs along; None of a single setting."""
    rows: tuple[Row, ...]
    """By rising knob."""


def series_of(rows: Sequence[Row]) -> list[Series]:
    """The lines of every arm, one for each combination of the other knobs, in the order of the rows.

    A line runs along w, else the start step, else the number that the arm varies most.
    """
    by_arm: dict[str, list[Row]] = {}
    for row in rows:
        by_arm.setdefault(row.arm, []).append(row)
    return [series for arm, own in by_arm.items() for series in _of_arm(arm, own)]


def along(row: Row, knob: str | None) -> float | None:
    """The knob's value in a row; None if the row lacks it."""
    if knob == FIDELITY:
        return row.fidelity
    value = None if knob is None else dict(row.setting).get(knob)
    return None if value is None else float(value)


def moving_knob(rows: Sequence[Row]) -> str | None:
    """The knob along which the rows of an arm are joined; None if they vary no number."""
    if any(row.fidelity is not None for row in rows):
        return FIDELITY
    names = dict.fromkeys(name for row in rows for name in row.varied)
    counts = {name: len({along(row, name) for row in rows}) for name in names if _is_number(name, rows)}
    moving = [name for name, count in counts.items() if count > 1]
    return min(moving, key=lambda name: (name not in _FIRST, -counts[name]), default=None)


def _of_arm(arm: str, rows: Sequence[Row]) -> list[Series]:
    knob = moving_knob(rows)
    groups: dict[tuple[tuple[str, str], ...], list[Row]] = {}
    for row in rows:
        others = tuple((name, value) for name, value in row.setting if name in row.varied and name != knob)
        groups.setdefault(others, []).append(row)
    lines = [sorted(group, key=lambda row: along(row, knob) or 0.0) for group in groups.values()]
    labels = [", ".join([arm, *knob_texts(dict(others))]) if len(groups) > 1 else arm for others in groups]
    return [Series(label, knob, tuple(line)) for label, line in zip(labels, lines, strict=True)]


def _is_number(name: str, rows: Sequence[Row]) -> bool:
    try:
        return all(along(row, name) is not None for row in rows)
    except ValueError:
        return False
