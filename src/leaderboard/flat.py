"""The whole leaderboard as CSV, with unrounded values, for other programs."""

import csv
import io
from collections.abc import Iterable, Sequence

from src.leaderboard.diagnostics_table import row_diagnostics
from src.leaderboard.row import Cell, Row
from src.leaderboard.study import StudyTable

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With what a cell begins that a spreadsheet calculates."""


def csv_text(tables: Sequence[StudyTable]) -> str:
    """One line a study, benchmark, arm and setting; a value that is missing or refused is an empty field."""
    lines = [
        _line(table.study, row)
        for table in tables
        for rows in (*(ranking.rows for ranking in table.rankings), table.apart)
        for row in rows
    ]
    headings = list(dict.fromkeys(heading for line in lines for heading in line))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(map(_inert, headings))
    writer.writerows([_inert(line.get(heading)) for heading in headings] for line in lines)
    return buffer.getvalue()


def _inert(value: object) -> object:
    """A text that a spreadsheet would calculate, behind an apostrophe, which makes it a text for it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _line(study: str, row: Row) -> dict[str, object]:
    records = [entry.record for entry in row.records]
    standing = row.standing
    return {
        "study": study,
        "arm": row.arm,
        "fidelity": row.fidelity,
        "knobs": _joined(f"{name}={value}" for name, value in row.setting),
        "status": row.status,
        "baseline": row.baseline,
        "comparable": row.status == "finished" and row.incomparable is None,
        "reason": row.reason,
        "position": standing.position if standing else None,
        "rank": standing.rank if standing else None,
        "tied": standing.tied if standing else None,
        "n": row.n,
        "seeds": _joined(row.seeds),
        "runs": _joined(record.run for record in records),
        "identities": _joined(record.identity for record in records),
        "commits": _joined(record.commit for record in records),
        "benchmark": records[0].benchmark.get("hash"),
        **_cost(row),
        **{key: value for name, cell in row.cells.items() for key, value in _cell(name, cell).items()},
        **{f"diagnostic/{name}": value for name, value in row_diagnostics(row).items()},
    }


def _cost(row: Row) -> dict[str, object]:
    cost = row.cost
    return {
        "parameters": cost.parameters if cost else None,
        "network_evaluations": cost.network_evaluations if cost else None,
        "seconds_per_image": cost.seconds_per_image if cost else None,
        "peak_memory_mb": cost.peak_memory_mb if cost else None,
    }


def _cell(name: str, cell: Cell) -> dict[str, object]:
    low, high = cell.interval or (None, None)
    worst = cell.worst_decile
    return {
        name: None if cell.refused else cell.value,
        f"{name}:low": low,
        f"{name}:high": high,
        f"{name}:n": cell.n,
        f"{name}:failures": cell.failures,
        f"{name}:worst_decile": worst.mean if worst else None,
        f"{name}:worst_decile_low": worst.low if worst else None,
        f"{name}:worst_decile_high": worst.high if worst else None,
        **({f"{name}:refused": cell.refused} if cell.refused else {}),
    }


def _joined(values: Iterable[object]) -> str:
    return " ".join(map(str, values))
