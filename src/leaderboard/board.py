"""Builds the leaderboard of a folder of records: terminal text, Markdown, CSV, LaTeX, HTML and figures."""

from dataclasses import dataclass
from pathlib import Path

from src.checkpoints.files import atomic_path
from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.console import console_text
from src.leaderboard.curve import write_curves
from src.leaderboard.document import document_text
from src.leaderboard.flat import csv_text
from src.leaderboard.frontier_figure import write_frontier
from src.leaderboard.latex import latex_text
from src.leaderboard.page import write_page
from src.leaderboard.study import Ranking, StudyTable
from src.tracking.records import read_records


@dataclass(frozen=True)
class Leaderboard:
    """The files that were written, and the text for the terminal."""

    paths: list[Path]
    text: str
    problems: list[str]
    """Records that could not be read."""


def write_leaderboard(records_root: Path, out: Path | None, choices: Choices) -> Leaderboard:
    """Read the records below `records_root` and write leaderboard.md, .csv, .tex and .html and the figures.

    Args:
        out: folder to write to; None takes `<records_root>/leaderboard`.

    Raises:
        UserError: no readable record, an unknown study or metric, fewer than 100 resamples, or a primary metric that
            does not stand on equally many faces.
    """
    found = read_records(records_root)
    tables = study_tables(found.records, choices)
    folder = out if out is not None else records_root / "leaderboard"
    figures = [path for table in tables for ranking in table.rankings for path in _figures(folder, table, ranking)]
    paths = [
        _write(folder / "leaderboard.md", document_text(tables)),
        _write(folder / "leaderboard.csv", csv_text(tables)),
        _write(folder / "leaderboard.tex", latex_text(tables, choices.resamples, choices.seed)),
        write_page(folder / "leaderboard.html", tables),
        *figures,
        *(_write_bytes(folder / figure.file, figure.png) for table in tables for figure in table.figures),
    ]
    return Leaderboard(paths, console_text(tables), found.problems)


def _figures(folder: Path, table: StudyTable, ranking: Ranking) -> list[Path]:
    n = ranking.protocol.benchmark.get("n", "?")
    title = f"{table.study}: n = {n} faces"
    paths = []
    if ranking.curve is not None:
        path = folder / ranking.curve
        bands = f"{title}; bands: 95 % intervals of single means, not of the paired differences"
        paths += [path] if write_curves(path, ranking.rows, ranking.protocol, bands) else []
    if ranking.frontier_figure is not None and ranking.frontier is not None:
        paths.append(write_frontier(folder / ranking.frontier_figure, ranking.frontier, title))
    return paths


def _write(path: Path, text: str) -> Path:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _write_bytes(path: Path, content: bytes) -> Path:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return path
