"""Makes the tables of all studies from their records."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from src.leaderboard import verdict
from src.leaderboard.comparable import Protocol, protocol_of
from src.leaderboard.definition import metric_for
from src.leaderboard.facts import missing_of, provenance_notes
from src.leaderboard.frontier import CERTAINTY, Frontier, frontier_of
from src.leaderboard.guides import judged_alike
from src.leaderboard.primary import primary_of
from src.leaderboard.recipe_state import is_worth_saying, recipe_sentence
from src.leaderboard.row import Row
from src.leaderboard.selection import newest
from src.leaderboard.severity import SEVERITY_ROLES, severity_curves
from src.leaderboard.study import Ranking, StudyTable
from src.leaderboard.sweep_figures import sweep_figures
from src.leaderboard.table import build_rows
from src.metrics.statistics import RESAMPLES
from src.settings.errors import UserError
from src.tracking.records import StoredRecord


@dataclass(frozen=True)
class Choices:
    """How the tables are made."""

    study: str | None = None
    """The one study to show; None shows each in a table of its own."""
    primary: str | None = None
    """Role or id of the metric that decides; None leaves it to the records."""
    resamples: int = RESAMPLES
    seed: int = 0
    """Of the bootstrap."""


def study_tables(records: Sequence[StoredRecord], choices: Choices) -> list[StudyTable]:
    """A table for every study, by name.

    Raises:
        UserError: an unknown study or metric, fewer than 100 resamples, or a primary metric that cannot be compared.
    """
    if choices.resamples < 100:
        raise UserError(f"resamples: {choices.resamples} are too few for the ends of an interval; take at least 100")
    studies = _studies(records, choices.study)
    return [_table(name, entries, choices, alone=len(studies) == 1) for name, entries in studies.items()]


def _studies(records: Sequence[StoredRecord], wanted: str | None) -> dict[str, list[StoredRecord]]:
    studies: dict[str, list[StoredRecord]] = defaultdict(list)
    for stored in records:
        studies[stored.record.study].append(stored)
    if wanted is None:
        return dict(sorted(studies.items()))
    if wanted not in studies:
        raise UserError(f"study: no record of {wanted!r}; these records are of {', '.join(sorted(studies))}")
    return {wanted: studies[wanted]}


def _table(study: str, records: Sequence[StoredRecord], choices: Choices, *, alone: bool) -> StudyTable:
    counting, replaced = newest(records)
    kept, judges = judged_alike(counting)
    primary = primary_of(kept, choices.primary)
    rankings: list[Ranking] = []
    apart: list[Row] = []
    for group in _by_benchmark(kept):
        rows = build_rows(group, primary.name, choices.resamples, choices.seed)
        apart += [row for row in rows if row.status != "finished" or row.incomparable]
        protocol = protocol_of(group, primary.name)
        shown = [row for row in rows if row.status == "finished" and not row.incomparable]
        if protocol is not None and shown:
            stem = _file_stem("" if alone else study, protocol if rankings else None)
            rankings.append(_ranking(shown, protocol, stem, choices))
    rankings = _with_recipes(rankings)
    stem = _file_stem("" if alone else study, None)
    return StudyTable(
        study=study,
        question=max(kept, key=lambda entry: entry.record.created).record.question,
        rankings=rankings,
        apart=apart,
        primary=primary.name,
        primary_source=primary.source,
        notes=[*primary.notes, *replaced, *judges],
        figures=sweep_figures(study, rankings, stem, choices.resamples, choices.seed),
    )


def _with_recipes(rankings: Sequence[Ranking]) -> list[Ranking]:
    if not is_worth_saying([ranking.rows for ranking in rankings]):
        return list(rankings)
    return [replace(ranking, recipe=recipe_sentence(ranking.rows)) for ranking in rankings]


def _by_benchmark(records: Sequence[StoredRecord]) -> list[list[StoredRecord]]:
    """Finished records by benchmark, most records first (of equally many, the newest); then the failed ones."""
    groups: dict[str, list[StoredRecord]] = defaultdict(list)
    failed = []
    for stored in records:
        if stored.record.status == "finished":
            groups[str(stored.record.benchmark.get("hash"))].append(stored)
        else:
            failed.append(stored)
    ordered = sorted(groups.values(), key=_weight, reverse=True)
    return [*ordered, failed] if failed else ordered


def _weight(records: Sequence[StoredRecord]) -> tuple[int, str]:
    return len(records), max(entry.record.created for entry in records)


LONGEST_PART = 80
"""Characters of a name that a file's name repeats."""


def _file_stem(study: str, protocol: Protocol | None) -> str:
    """What sets a ranking's figures apart from those of others: study, and benchmark of all but the first."""
    parts = [study] if study else []
    if protocol is not None:
        parts += [str(protocol.benchmark.get("name", "benchmark")), str(protocol.benchmark.get("hash"))[:8]]
    return "".join("-" + re.sub(r"[^\w.-]+", "_", part)[:LONGEST_PART] for part in parts)


def _ranking(shown: list[Row], protocol: Protocol, stem: str, choices: Choices) -> Ranking:
    frontier = frontier_of(shown, protocol)
    metrics = _severity_metrics(shown)
    return Ranking(
        protocol=protocol,
        rows=shown,
        verdict=verdict.verdict(shown, protocol),
        notes=[*_notes(shown, protocol, choices), *_frontier_note(frontier)],
        missing=missing_of(shown),
        frontier=frontier,
        severity=severity_curves(shown, metrics, choices.resamples, choices.seed),
        curve=f"curve{stem}.png" if any(row.ranked and row.has_knob for row in shown) else None,
        frontier_figure=f"frontier{stem}.png" if _drawn(frontier) else None,
    )


def _notes(rows: Sequence[Row], protocol: Protocol, choices: Choices) -> list[str]:
    return [
        *verdict.against_baselines(rows, protocol, choices.resamples, choices.seed),
        *verdict.cautions(rows, protocol),
        *provenance_notes(rows),
    ]


def _frontier_note(frontier: Frontier | None) -> list[str]:
    return [f"Pareto front and reference curve compare {CERTAINTY}."] if frontier is not None else []


def _severity_metrics(rows: Sequence[Row]) -> list[str]:
    records = [entry.record for row in rows for entry in row.records]
    found = {
        role: next(filter(None, (metric_for(record, role) for record in records)), None) for role in SEVERITY_ROLES
    }
    return [name for name in dict.fromkeys(found.values()) if name is not None]


def _drawn(frontier: Frontier | None) -> bool:
    """One point is no frontier."""
    return frontier is not None and sum(not point.baseline for point in frontier.points) > 1
