"""The Markdown document of a leaderboard."""

from collections.abc import Sequence

from src.leaderboard import facts
from src.leaderboard.columns import heading
from src.leaderboard.diagnostics_table import DiagnosticsTable, diagnostics_tables
from src.leaderboard.grids import apart_grid, full_grid, ranking_grid, seeds_grid, severity_grid, worst_grid
from src.leaderboard.render import Grid, markdown, prose
from src.leaderboard.severity import by_scale, outside_note
from src.leaderboard.study import Ranking, StudyTable
from src.leaderboard.study_figure import StudyFigure


def document_text(tables: Sequence[StudyTable]) -> str:
    """Every study with its rankings, tables of all settings, worst faces, severity and seeds, its figures and diagnostics."""
    return "\n".join(map(_study, tables))


def _study(table: StudyTable) -> str:
    parts = [f"# {prose(table.study)}", _list(facts.study_facts(table))]
    several = len(table.rankings) > 1
    for ranking in table.rankings:
        parts += _ranking(ranking, depth=3 if several else 2, titled=several)
    for figure in table.figures:
        parts += _study_figure(figure)
    for diagnostics in diagnostics_tables(table):
        parts += _diagnostics(diagnostics)
    if not table.rankings:
        parts.append("**No arm has a result that can be ranked.**")
    parts += _section("## Apart from the ranking", apart_grid(table.apart))
    parts += ["## Runs", _list(table.notes)] if table.notes else []
    return "\n\n".join(parts) + "\n"


def _ranking(ranking: Ranking, *, depth: int, titled: bool) -> list[str]:
    """Sections of one benchmark; `depth` is the level of their headings."""
    rows, protocol, marks = ranking.rows, ranking.protocol, "#" * depth
    benchmark = prose(facts.benchmark_line(protocol.benchmark))
    parts = [f"## {benchmark}"] if titled else [f"- {benchmark}"]
    parts += [f"- {prose(ranking.recipe)}"] if ranking.recipe else []
    parts += [f"**{prose(ranking.verdict)}**"]
    parts += _section(f"{marks} Ranking, each arm at its best setting", ranking_grid(rows, protocol))
    parts += _figures(ranking)
    parts += _section(f"{marks} All settings", full_grid(rows, protocol))
    parts += _section(f"{marks} Mean over the worst tenth of the faces", worst_grid(rows, protocol))
    parts += _severity(ranking, marks)
    parts += _section(f"{marks} Seeds", seeds_grid(rows, protocol))
    if ranking.missing:
        parts += [f"{marks} Not measured", _list([f"{name}: {why}" for name, why in ranking.missing.items()])]
    parts += [f"{marks} Definitions", _list(facts.definitions(rows, protocol))]
    return [*parts, f"{marks} Notes", _list(ranking.notes)]


def _study_figure(figure: StudyFigure) -> list[str]:
    title, caption = prose(figure.heading), prose(figure.caption)
    picture = f"![{title}]({figure.file})"
    return [f"## {title}", _list(figure.readings), picture, caption, markdown(figure.grid)]


def _diagnostics(table: DiagnosticsTable) -> list[str]:
    meanings = _list([f"{column}: {meaning}" for column, meaning in table.meanings])
    return [f"## {prose(table.heading)}", prose(table.note), markdown(table.grid), *([meanings] if meanings else [])]


def _figures(ranking: Ranking) -> list[str]:
    parts = [f"![Metrics over the fidelity weight w]({ranking.curve})"] if ranking.curve else []
    return parts + ([f"![Identity against distance]({ranking.frontier_figure})"] if ranking.frontier_figure else [])


def _severity(ranking: Ranking, marks: str) -> list[str]:
    parts = []
    for curves in by_scale(ranking.severity):
        title = f"{marks} {prose(heading(curves[0].metric, ranking.rows))} by {prose(str(curves[0].scale))}"
        parts += _section(title, severity_grid(curves, ranking.rows))
        parts += [prose(note)] if (note := outside_note(curves)) else []
    return parts


def _section(title: str, grid: Grid | None) -> list[str]:
    return [title, markdown(grid)] if grid is not None else []


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {prose(line)}" for line in lines)
