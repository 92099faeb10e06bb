"""Diagnostics of methods: from the record to every file that shows them, and nothing where there are none."""

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.diagnostics import DIAGNOSTICS, OTHERS, REGISTRATION
from src.leaderboard.diagnostics_table import diagnostics_tables
from src.leaderboard.document import document_text
from src.leaderboard.flat import csv_text
from src.leaderboard.latex import latex_text
from src.leaderboard.page import write_page
from src.leaderboard.page_payload import payload
from src.leaderboard.render import markdown
from src.leaderboard.study import StudyTable
from src.tracking.records import RECORD_NAME, StoredRecord, read_record
from tests.leaderboard.conftest import MakeRecord
from tests.leaderboard.page_browser import found_browser

DENSE = {"landmark_error_before": 2.5, "landmark_error_after": 1.25, "folded_share": 0.0012, "parameters": 104562.0}


def _table(records: list[StoredRecord]) -> StudyTable:
    (table,) = study_tables(records, Choices(resamples=200))
    return table


def _study(make: MakeRecord) -> StudyTable:
    return _table(
        [
            make("none", None, diagnostics={"landmark_error_before": 2.5, "parameters": 0.0}),
            *(make("dense", None, seed=seed, diagnostics=DENSE | {"ncc_after": 0.5 + 0.1 * seed}) for seed in (0, 1)),
            make("codeformer", 0.5),
            make("other", None, diagnostics={"active_triplets": 0.25}),
        ]
    )


def test_a_record_keeps_finite_diagnostics_and_old_files_have_none(make: MakeRecord) -> None:
    stored = make("dense", diagnostics={"ncc_after": 0.5, "landmark_error_after": math.nan})
    path = stored.folder / RECORD_NAME
    assert read_record(path).diagnostics == {"ncc_after": 0.5}
    data = json.loads(path.read_text())
    del data["diagnostics"]
    for old in (data, data | {"schema_version": 1}):
        path.write_text(json.dumps(old))
        assert read_record(path) == replace(stored.record, diagnostics={}, schema_version=old["schema_version"])


def test_a_line_a_row_and_a_column_a_diagnostic(make: MakeRecord) -> None:
    registration, others = diagnostics_tables(_study(make))
    assert (registration.heading, others.heading) == (REGISTRATION, OTHERS)
    assert registration.grid.headings == (
        *("arm", "setting", "landmark error before (px of 512)", "landmark error after (px of 512)", "NCC after"),
        *("folded (share of pixels)", "registration parameters"),
    )
    # The NCC is the mean over both seeds.
    assert registration.grid.rows == (
        ("dense", "–", "2.50", "1.25", "0.550", "0.00120", "104562"),
        ("none", "–", "2.50", "–", "–", "–", "0"),
    )
    assert [heading for heading, _ in registration.meanings] == list(registration.grid.headings[2:])
    assert others.grid.headings == ("arm", "setting", "active_triplets")
    assert others.grid.rows == (("other", "–", "0.250"),)
    assert others.meanings == ()


def test_names_and_headings_are_unique() -> None:
    for texts in ([entry.name for entry in DIAGNOSTICS], [entry.heading for entry in DIAGNOSTICS]):
        assert len(set(texts)) == len(texts)


def test_benchmarks_are_told_apart(make: MakeRecord) -> None:
    other = {"hash": "ffff", "name": "celeba", "n": 64, "recipe": "severe"}
    records = [make("dense", diagnostics=DENSE), make("dense", diagnostics={"ncc_after": 0.5}, benchmark=other)]
    (found,) = diagnostics_tables(_table(records))
    assert found.grid.headings[:3] == ("arm", "setting", "benchmark")
    assert {row[2] for row in found.grid.rows} == {"codeformer_large", "severe"}


def test_the_csv_has_unrounded_columns_where_there_are_diagnostics(make: MakeRecord) -> None:
    lines = list(csv.DictReader(io.StringIO(csv_text([_study(make)]))))
    by_arm = {line["arm"]: line for line in lines}
    assert float(by_arm["dense"]["diagnostic/ncc_after"]) == pytest.approx(0.55)
    assert float(by_arm["dense"]["diagnostic/folded_share"]) == 0.0012
    assert by_arm["codeformer"]["diagnostic/ncc_after"] == ""
    assert [name for name in lines[0] if name.startswith("diagnostic/")][:2] == [
        "diagnostic/landmark_error_before",
        "diagnostic/landmark_error_after",
    ]


def test_everything_else_is_as_without_diagnostics(make: MakeRecord) -> None:
    bare = [make("dense", None), make("codeformer", 0.5), make("codeformer", 1.0)]
    carrying = [StoredRecord(replace(bare[0].record, diagnostics=DENSE), bare[0].folder), *bare[1:]]
    without, having = _table(bare), _table(carrying)
    (shown,) = diagnostics_tables(having)
    assert diagnostics_tables(without) == []
    meanings = "\n".join(f"- {heading}: {meaning}" for heading, meaning in shown.meanings)
    section = f"\n\n## {shown.heading}\n\n{shown.note}\n\n{markdown(shown.grid)}\n\n{meanings}"
    assert document_text([having]).count(section) == 1
    assert document_text([having]).replace(section, "") == document_text([without])
    assert latex_text([having], 200, 0) == latex_text([without], 200, 0)
    assert "diagnostic" not in csv_text([without])
    page = payload([having])
    assert page["studies"][0].pop("diagnostics")[0]["heading"] == REGISTRATION
    assert page == payload([without])


@pytest.mark.parametrize("width", [390, 1440])
def test_a_browser_shows_the_tables(make: MakeRecord, tmp_path: Path, width: int) -> None:
    table = _study(make)
    path = write_page(tmp_path / "page" / "leaderboard.html", [table])
    driver = """
      const cells = (row) => [...row.cells].map((cell) => cell.textContent);
      return {
        ...hook(),
        titles: texts(".diagnostics-section h2"),
        head: cells(one(".diagnostics thead tr")),
        rows: all(".diagnostics tbody tr").map(cells),
        meanings: all(".diagnostics-section details dt").length,
      };
    """
    shown = found_browser(tmp_path).run(path, width, 900, driver).result
    first, second = diagnostics_tables(table)
    assert (shown["errors"], int(shown["overflow"]) <= 0) == ("0", True)
    assert shown["titles"] == [REGISTRATION, OTHERS]
    assert tuple(shown["head"]) == first.grid.headings
    assert [tuple(row) for row in shown["rows"]] == [*first.grid.rows, *second.grid.rows]
    assert shown["meanings"] == len(first.meanings)
