"""What the page of a leaderboard holds, as plain values: studies, their rankings, charts and pictures."""

import base64
from collections.abc import Sequence
from typing import Any

from src.leaderboard.columns import digits_of, metric_order
from src.leaderboard.definition import direction_of
from src.leaderboard.diagnostics_table import DiagnosticsTable, diagnostics_tables
from src.leaderboard.frontier import CERTAINTY, Frontier, FrontierPoint
from src.leaderboard.page_config import Entry, shared_config
from src.leaderboard.page_pictures import gallery_of
from src.leaderboard.page_rows import Pool, finite, interval, number, numbers, row_payload
from src.leaderboard.ranking import placed
from src.leaderboard.row import Row
from src.leaderboard.setting import setting_text
from src.leaderboard.severity import SeverityCurve
from src.leaderboard.study import Ranking, StudyTable
from src.leaderboard.study_figure import StudyFigure

FORMAT = 1
"""Number of this layout, for the scripts that read it."""


def payload(tables: Sequence[StudyTable]) -> dict[str, Any]:
    """Everything that the page shows; NaN and infinity are None.

    Raises:
        UserError: a picture of a gallery cannot be read.
    """
    pool = Pool()
    studies = [_study(table, pool) for table in tables]
    return {"format": FORMAT, "studies": studies, "pool": pool.values}


def _study(table: StudyTable, pool: Pool) -> dict[str, Any]:
    rows = [row for ranking in table.rankings for row in ranking.rows] + table.apart
    shared = shared_config([finite(entry.record.config) for row in rows for entry in row.records])
    return {
        "study": table.study,
        "question": table.question,
        "primary": table.primary,
        "primarySource": table.primary_source,
        "notes": list(table.notes),
        "config": [[list(path), value] for path, value in shared],
        "rankings": [_ranking(ranking, pool, shared) for ranking in table.rankings],
        "apart": [row_payload(row, pool, shared) for row in table.apart],
        "figures": [_study_figure(figure) for figure in table.figures],
        **({"diagnostics": shown} if (shown := [_diagnostics(found) for found in diagnostics_tables(table)]) else {}),
    }


def _diagnostics(table: DiagnosticsTable) -> dict[str, Any]:
    return {
        "heading": table.heading,
        "note": table.note,
        "keys": table.grid.keys,
        "headings": list(table.grid.headings),
        "rows": [list(row) for row in table.grid.rows],
        "meanings": [list(entry) for entry in table.meanings],
    }


def _study_figure(figure: StudyFigure) -> dict[str, Any]:
    return {
        "heading": figure.heading,
        "caption": figure.caption,
        "readings": list(figure.readings),
        "picture": f"data:image/png;base64,{base64.b64encode(figure.png).decode('ascii')}",
    }


def _ranking(ranking: Ranking, pool: Pool, shared: Sequence[Entry]) -> dict[str, Any]:
    protocol = ranking.protocol
    return {
        "benchmark": finite(protocol.benchmark),
        "recipe": ranking.recipe,
        "primary": protocol.metric,
        "perImage": protocol.per_image,
        "verdict": ranking.verdict,
        "notes": list(ranking.notes),
        "missing": dict(ranking.missing),
        "metrics": [_metric(name, ranking) for name in metric_order(ranking.rows, protocol)],
        "rows": [row_payload(row, pool, shared) for row in ranking.rows],
        "frontier": None if ranking.frontier is None else _frontier(ranking.frontier, ranking.rows),
        "severity": [_severity(curve, ranking.rows) for curve in ranking.severity],
        "gallery": _gallery(ranking.rows),
    }


def _metric(name: str, ranking: Ranking) -> dict[str, Any]:
    cells = [row.cells[name] for row in ranking.rows if name in row.cells]
    measured = ranking.protocol.measured.get(name)
    definition = measured.definition if measured else cells[0].definition
    return {
        "id": name,
        "role": definition.get("role"),
        "direction": direction_of(definition),
        "digits": digits_of(name, ranking.rows),
        "n": measured.n if measured else cells[0].n,
        "definition": finite(definition),
    }


def _frontier(frontier: Frontier, rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "identity": frontier.identity_metric,
        "distance": frontier.distance_metric,
        "n": frontier.n,
        "toInput": frontier.to_input,
        "certainty": CERTAINTY,
        "points": [_point(point, frontier, rows) for point in frontier.points],
        "reference": [_point(point, frontier, rows) for point in frontier.reference],
    }


def _point(point: FrontierPoint, frontier: Frontier, rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "row": _place(point.arm, point.setting, rows),
        "arm": point.arm,
        "setting": point.setting,
        "fidelity": number(point.fidelity),
        "line": point.line,
        "knob": point.knob,
        "along": number(point.along),
        "identity": number(point.identity),
        "interval": numbers(point.identity_interval),
        "distance": number(point.distance),
        "onFront": point.on_front,
        "baseline": point.baseline,
        "beyond": point.beyond_reference,
    }


def _severity(curve: SeverityCurve, rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "row": _place(curve.arm, curve.setting, rows),
        "arm": curve.arm,
        "setting": curve.setting,
        "baseline": curve.baseline,
        "metric": curve.metric,
        "scale": curve.scale,
        "edges": numbers(curve.edges),
        "outside": curve.outside,
        "bins": [
            {
                "low": number(found.low),
                "high": number(found.high),
                "mean": interval(found.interval),
                "n": found.interval.n,
            }
            for found in curve.bins
        ],
    }


def _place(arm: str, setting: str, rows: Sequence[Row]) -> int | None:
    """Place of the row that a mark in a chart stands for."""
    places = (index for index, row in enumerate(rows) if (row.arm, setting_text(row)) == (arm, setting))
    return next(places, None)


def _gallery(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Pictures of every placed row that kept some, in order; of the first of its records that did."""
    found = []
    for row in placed(rows):
        kept = next((gallery for stored in row.records if (gallery := gallery_of(stored)) is not None), None)
        if kept is not None:
            found.append({"row": _place(row.arm, setting_text(row), rows), **kept})
    return found
