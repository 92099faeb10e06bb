"""The whole leaderboard as CSV, with unrounded values, for other programs."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from src.leaderboard.row import Cell, Row


def csv_text(tables: Mapping[str, Sequence[Row]]) -> str:
    """One line a study, arm and fidelity; a value that is missing is an empty field.

    Args:
        tables: rows by study.
    """
    lines = [_line(study, row) for study, rows in tables.items() for row in rows]
    headings = list(dict.fromkeys(heading for line in lines for heading in line))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, headings, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return buffer.getvalue()


def _line(study: str, row: Row) -> dict[str, object]:
    records = [entry.record for entry in row.records]
    standing = row.standing
    return {
        "study": study,
        "arm": row.arm,
        "fidelity": row.fidelity,
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
    return {
        name: cell.value,
        f"{name}:low": low,
        f"{name}:high": high,
        f"{name}:n": cell.n,
        f"{name}:failures": cell.failures,
    }


def _joined(values: Iterable[object]) -> str:
    return " ".join(map(str, values))
