"""Tables of diagnostics: a line a row that carries some, a column a diagnostic."""

from collections.abc import Sequence
from dataclasses import dataclass

from src.leaderboard.cells import short
from src.leaderboard.diagnostics import SECTIONS, Diagnostic, in_section
from src.leaderboard.render import Grid, decimals, number
from src.leaderboard.row import Row
from src.leaderboard.setting import setting_text
from src.leaderboard.study import StudyTable
from src.leaderboard.sweep import benchmark_labels

Line = tuple[tuple[str, str, str], dict[str, float]]
"""Arm, setting and benchmark of a row, and its diagnostics."""


NOTE = "How the methods worked, not how good the faces are; nothing is ranked by these numbers."


@dataclass(frozen=True)
class DiagnosticsTable:
    """The diagnostics of one section."""

    heading: str
    grid: Grid
    meanings: tuple[tuple[str, str], ...]
    """Heading of a column and what it measures, where that is known."""
    note: str = NOTE


def row_diagnostics(row: Row) -> dict[str, float]:
    """By name: mean over the seeds that have it."""
    found: dict[str, list[float]] = {}
    for stored in row.records:
        for name, value in stored.record.diagnostics.items():
            found.setdefault(name, []).append(value)
    return {name: sum(values) / len(values) for name, values in found.items()}


def diagnostics_tables(table: StudyTable) -> list[DiagnosticsTable]:
    """A table for every section of which some row of a ranking has a number, over all benchmarks of the study."""
    lines = _lines(table)
    names = {name for _, values in lines for name in values}
    keys = ("arm", "setting", "benchmark")[: 3 if len(table.rankings) > 1 else 2]
    sections = ((section, in_section(names, section)) for section in SECTIONS)
    return [_section(heading, keys, columns, lines) for heading, columns in sections if columns]


def _lines(table: StudyTable) -> list[Line]:
    benchmarks = benchmark_labels([ranking.protocol.benchmark for ranking in table.rankings])
    return [
        ((short(row.arm), setting_text(row), benchmark), values)
        for ranking, benchmark in zip(table.rankings, benchmarks, strict=True)
        for row in ranking.rows
        if (values := row_diagnostics(row))
    ]


def _section(
    heading: str, keys: tuple[str, ...], columns: Sequence[Diagnostic], lines: Sequence[Line]
) -> DiagnosticsTable:
    digits = {column.name: _digits(column, lines) for column in columns}
    rows = [
        (*key[: len(keys)], *(number(values.get(name), places) for name, places in digits.items()))
        for key, values in lines
        if not values.keys().isdisjoint(digits)
    ]
    grid = Grid((*keys, *(column.heading for column in columns)), tuple(rows), keys=len(keys))
    return DiagnosticsTable(
        heading, grid, tuple((column.heading, column.meaning) for column in columns if column.meaning)
    )


def _digits(column: Diagnostic, lines: Sequence[Line]) -> int:
    if column.whole:
        return 0
    # One fewer than a metric has: nothing is decided by these.
    return decimals(max(abs(values[column.name]) for _, values in lines if column.name in values)) - 1
