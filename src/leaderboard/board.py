"""Builds the leaderboard of a folder of records: text for the terminal, Markdown, CSV and the curves."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from src.checkpoints.files import atomic_path
from src.leaderboard import verdict
from src.leaderboard.comparable import Protocol, benchmark_name, protocol_of
from src.leaderboard.curve import write_curves
from src.leaderboard.flat import csv_text
from src.leaderboard.grids import apart_grid, full_grid, ranking_grid, seeds_grid
from src.leaderboard.render import markdown, terminal, wrapped
from src.leaderboard.row import Row
from src.leaderboard.selection import newest
from src.leaderboard.table import build_rows
from src.metrics.statistics import RESAMPLES
from src.settings.errors import UserError
from src.settings.metric_roles import RECORDED_ROLES
from src.tracking.records import StoredRecord, read_records


@dataclass(frozen=True)
class Leaderboard:
    """The files that were written, and the text for the terminal."""

    paths: list[Path]
    text: str
    problems: list[str]
    """Records that could not be read."""


@dataclass(frozen=True)
class StudyTable:
    """Everything that is shown of one study."""

    study: str
    question: str
    rows: list[Row]
    protocol: Protocol | None
    verdict: str
    notes: list[str]
    curve: str | None
    """File name of the figure."""


def write_leaderboard(
    records_root: Path,
    output: Path | None,
    study: str | None,
    primary: str,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Leaderboard:
    """Read the records below `records_root` and write leaderboard.md, leaderboard.csv and one curve a study.

    Args:
        output: folder to write to; None takes `<records_root>/leaderboard`.
        study: the one study to show; None shows each in a table of its own.
        primary: role whose metric decides.

    Raises:
        UserError: no readable record, an unknown study or role, or fewer than 100 resamples.
    """
    _check(primary, resamples)
    found = read_records(records_root)
    studies = _studies(found.records, study)
    folder = output if output is not None else records_root / "leaderboard"
    tables = [_table(name, entries, primary, resamples, seed, len(studies)) for name, entries in studies.items()]
    paths = [path for table in tables if (path := _write_curve(folder, table)) is not None]
    paths = [
        _write(folder / "leaderboard.md", "\n".join(map(_markdown, tables))),
        _write(folder / "leaderboard.csv", csv_text({table.study: table.rows for table in tables})),
        *paths,
    ]
    return Leaderboard(paths, "\n\n".join(map(_text, tables)), found.problems)


def _check(primary: str, resamples: int) -> None:
    if primary not in RECORDED_ROLES:
        raise UserError(f"primary: {primary!r} is not one of {', '.join(RECORDED_ROLES)}")
    if resamples < 100:
        raise UserError(f"resamples: {resamples} are too few for the ends of an interval; take at least 100")


def _studies(records: Sequence[StoredRecord], wanted: str | None) -> dict[str, list[StoredRecord]]:
    studies: dict[str, list[StoredRecord]] = {}
    for stored in records:
        studies.setdefault(stored.record.study, []).append(stored)
    if wanted is None:
        return dict(sorted(studies.items()))
    if wanted not in studies:
        raise UserError(f"study: no record of {wanted!r}; these records are of {', '.join(sorted(studies))}")
    return {wanted: studies[wanted]}


def _table(
    study: str, records: Sequence[StoredRecord], primary: str, resamples: int, seed: int, studies: int
) -> StudyTable:
    kept, replaced = newest(records)
    protocol = protocol_of(kept, primary)
    rows = build_rows(kept, primary, resamples, seed)
    newest_record = max(kept, key=lambda entry: entry.record.created).record
    notes = [
        *verdict.against_baselines(rows, protocol, resamples, seed),
        *verdict.cautions(rows, protocol),
        *replaced,
    ]
    suffix = "" if studies == 1 else "-" + re.sub(r"[^\w.-]+", "_", study)
    curve = f"curve{suffix}.png" if any(row.ranked for row in rows) else None
    return StudyTable(study, newest_record.question, rows, protocol, verdict.verdict(rows, protocol), notes, curve)


def _write_curve(folder: Path, table: StudyTable) -> Path | None:
    if table.curve is None or table.protocol is None:
        return None
    n = table.protocol.benchmark.get("n", "?")
    title = f"{table.study}: n = {n} faces; bands: 95 % intervals of single means, not of the paired differences"
    path = folder / table.curve
    return path if write_curves(path, table.rows, table.protocol, title) else None


def _write(path: Path, text: str) -> Path:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _facts(table: StudyTable) -> list[str]:
    facts = [f"Question: {table.question or 'none was written down'}"]
    if table.protocol is not None:
        benchmark = table.protocol.benchmark
        about = [f"{key} {benchmark[key]}" for key in ("split", "recipe") if benchmark.get(key)]
        facts.append(f"Benchmark: {', '.join([benchmark_name(benchmark), *about])}")
    facts.append(f"Hardware: {verdict.hardware(table.rows)}")
    return [*facts, f"Commit: {verdict.commits(table.rows)}"]


def _text(table: StudyTable) -> str:
    parts = [f"== {table.study} ==", wrapped(_facts(table)), wrapped([table.verdict])]
    if table.protocol is not None:
        parts.append(terminal(ranking_grid(table.rows, table.protocol)))
        seeds = seeds_grid(table.rows, table.protocol)
        parts += [terminal(seeds)] if seeds else []
    if apart := verdict.apart(table.rows):
        parts.append(wrapped(["Apart from the ranking:", *apart]))
    if table.protocol is not None:
        parts.append(wrapped(verdict.definitions(table.rows, table.protocol)))
    return "\n\n".join([*parts, *([wrapped(table.notes)] if table.notes else [])])


def _markdown(table: StudyTable) -> str:
    parts = [f"# {table.study}", _list(_facts(table)), f"**{table.verdict}**"]
    metric = None
    if table.protocol is not None:
        metric = table.protocol.metric
        parts += ["## Ranking, each arm at its best fidelity", markdown(ranking_grid(table.rows, table.protocol))]
        if table.curve:
            parts.append(f"![Metrics over the fidelity weight w]({table.curve})")
        parts += ["## All fidelities", markdown(full_grid(table.rows, table.protocol))]
        seeds = seeds_grid(table.rows, table.protocol)
        parts += ["## Seeds", markdown(seeds)] if seeds else []
    apart = apart_grid(table.rows, metric)
    parts += ["## Apart from the ranking", markdown(apart)] if apart else []
    if table.protocol is not None:
        parts += ["## Definitions", _list(verdict.definitions(table.rows, table.protocol))]
    parts += ["## Notes", _list(table.notes)] if table.notes else []
    return "\n\n".join(parts) + "\n"


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
