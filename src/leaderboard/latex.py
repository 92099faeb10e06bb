"""Rankings as LaTeX tables for a paper: plain `article` with `booktabs` compiles them."""

import re
from collections.abc import Iterable, Sequence

from src.leaderboard.cells import cell_text, cost_texts, rank_text, value_text
from src.leaderboard.columns import baselines, digits_of, heading, metric_order
from src.leaderboard.common_faces import common_faces, common_faces_note
from src.leaderboard.comparable import Protocol
from src.leaderboard.definition import ARROWS
from src.leaderboard.facts import definition_line
from src.leaderboard.grids import COST_HEADINGS
from src.leaderboard.ranking import best_and_tied, placed
from src.leaderboard.row import Cell, Row
from src.leaderboard.setting import setting_cell, setting_heading
from src.leaderboard.study import Ranking, StudyTable
from src.metrics.statistics import Direction

HEADER = "% Needs \\usepackage{booktabs}.\n"
_ARROW: dict[Direction, str] = {"lower": r"$\downarrow$", "higher": r"$\uparrow$"}
_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "…": r"\ldots{}",
    **{character: f"\\{character}" for character in "&%$#_"},
    **{arrow: _ARROW[direction] for direction, arrow in ARROWS.items()},
}
_LATIN_1 = re.compile(r"[\x20-\x7e\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff]")


def latex_text(tables: Sequence[StudyTable], resamples: int, seed: int) -> str:
    """A `table` environment for every ranking.

    Columns: rank, arm, setting, the metrics that stand for a role with the primary one first, and cost. In each metric
    column the arms that share the first rank are bold, by the rules of the ranking.
    """
    rankings = [(table, ranking) for table in tables for ranking in table.rankings]
    return HEADER + "".join("\n" + _table(table, ranking, resamples, seed) for table, ranking in rankings)


def escaped(text: str) -> str:
    """`text` as LaTeX prints it; a character that its default fonts lack becomes its code point in brackets."""
    characters = "".join(map(_escaped_character, " ".join(text.split())))
    return characters.replace("--", "-{}-")


def _escaped_character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if _LATIN_1.fullmatch(character) else f"[U+{ord(character):04X}]"


def _table(table: StudyTable, ranking: Ranking, resamples: int, seed: int) -> str:
    rows = ranking.rows
    arms, others = placed(rows), baselines(rows)
    names = _metrics(rows, ranking.protocol)
    columns = [_column(name, ranking, resamples, seed) for name in names]
    setting = setting_heading(rows)
    lines = [
        _line(
            [
                *map(escaped, (rank_text(row), row.arm, setting_cell(row, setting))),
                *cells,
                *map(escaped, cost_texts(row)),
            ]
        )
        for row, cells in zip([*arms, *others], zip(*columns, strict=True), strict=True)
    ]
    headings = ["rank", "arm", setting, *(heading(name, rows) for name in names), *COST_HEADINGS]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
            f"\\caption{{{_caption(table, ranking)}}}",
            f"\\begin{{tabular}}{{@{{}}lll{'r' * (len(headings) - 3)}@{{}}}}",
            r"\toprule",
            _line(map(escaped, headings)),
            r"\midrule",
            *lines[: len(arms)],
            *([r"\midrule"] if arms and others else []),
            *lines[len(arms) :],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _metrics(rows: Sequence[Row], protocol: Protocol) -> list[str]:
    """The metrics that stand for a role; those beside them are in the CSV."""
    records = [entry.record for row in rows for entry in row.records]
    standing = {protocol.metric, *(name for record in records for name in record.roles.values())}
    return [name for name in metric_order(rows, protocol) if name in standing]


def _column(name: str, ranking: Ranking, resamples: int, seed: int) -> list[str]:
    """Cells of a metric in the order of the lines."""
    rows = ranking.rows
    arms, digits = placed(rows), digits_of(name, rows)
    best = best_and_tied(rows, name, resamples, seed)
    with_bounds = name == ranking.protocol.metric
    return [
        _cell(row.cells.get(name), digits, with_bounds=with_bounds, bold=place in best)
        for place, row in enumerate([*arms, *baselines(rows)])
    ]


def _cell(cell: Cell | None, digits: int, *, with_bounds: bool, bold: bool) -> str:
    value = escaped(value_text(cell, digits))
    bounds = escaped(cell_text(cell, digits)).removeprefix(value) if with_bounds else ""
    return (f"\\textbf{{{value}}}" if bold else value) + bounds


def _caption(table: StudyTable, ranking: Ranking) -> str:
    """n, benchmark, what decides and how it is defined, and what bold means."""
    protocol = ranking.protocol
    facts = protocol.benchmark
    cell = next(row.cells[protocol.metric] for row in ranking.rows if protocol.metric in row.cells)
    sentences = [
        table.study,
        f"{facts.get('name', 'unnamed')}, n = {facts.get('n', '?')} faces, benchmark {str(facts.get('hash'))[:12]}",
        f"Ordered by {definition_line(protocol.metric, cell)}",
        "Brackets: 95 % bootstrap interval",
        "Bold: the best arm of a column, and those that paired intervals do not separate from it",
        *_left_out(ranking),
    ]
    return escaped(". ".join(sentences) + ".")


def _left_out(ranking: Ranking) -> list[str]:
    faces = common_faces(ranking.rows, ranking.protocol.metric)
    return [] if faces is None else [note.removesuffix(".") for note in common_faces_note(faces)]


def _line(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"
