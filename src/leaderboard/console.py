"""The text of a leaderboard in a terminal."""

from collections.abc import Sequence

from src.leaderboard import facts, verdict
from src.leaderboard.grids import ranking_grid, seeds_grid
from src.leaderboard.render import terminal, wrapped
from src.leaderboard.study import Ranking, StudyTable


def console_text(tables: Sequence[StudyTable]) -> str:
    """Facts, verdict, ranking, readings of figures, what stands apart and notes of every study.

    The other files hold what is longer.
    """
    return "\n\n".join(map(_study, tables))


def _study(table: StudyTable) -> str:
    several = len(table.rankings) > 1
    parts = [f"== {table.study} ==", wrapped(facts.study_facts(table))]
    for number, ranking in enumerate(table.rankings, start=1):
        parts += [f"-- Benchmark {number} of {len(table.rankings)} --"] if several else []
        parts += _ranking(ranking)
    for figure in table.figures:
        parts.append(wrapped([f"{figure.heading}:", *figure.readings]))
    if not table.rankings:
        parts.append("No arm has a result that can be ranked.")
    if table.apart:
        parts.append(wrapped(["Apart from the ranking:", *verdict.apart(table.apart)]))
    return "\n\n".join([*parts, *([wrapped(table.notes)] if table.notes else [])])


def _ranking(ranking: Ranking) -> list[str]:
    rows, protocol = ranking.rows, ranking.protocol
    parts = [
        wrapped([facts.benchmark_line(protocol.benchmark), *([ranking.recipe] if ranking.recipe else [])]),
        wrapped([ranking.verdict]),
        terminal(ranking_grid(rows, protocol)),
    ]
    if seeds := seeds_grid(rows, protocol):
        parts.append(terminal(seeds))
    absent = [f"{len(ranking.missing)} metrics were not measured here."] if ranking.missing else []
    more = "leaderboard.md shows all settings, defines every metric and says why one was not measured."
    return [*parts, wrapped([*absent, *ranking.notes, more])]
