"""The figures of sweeps where they are shown: files, Markdown, terminal and page."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.board import write_leaderboard
from src.leaderboard.console import console_text
from src.leaderboard.document import document_text
from src.leaderboard.page import write_page
from src.leaderboard.study import StudyTable
from src.leaderboard.study_figure import StudyFigure
from tests.leaderboard.conftest import MakeRecord
from tests.leaderboard.difface_study import difface_records
from tests.leaderboard.page_browser import found_browser

FILES = ["start.png", "evaluations.png"]


@pytest.fixture(scope="module")
def tables(make_once: tuple[MakeRecord, Path]) -> list[StudyTable]:
    """The made-up study of DifFace and CodeFormer."""
    return study_tables(list(difface_records(make_once[0])), Choices(resamples=200))


def _shows(figure: StudyFigure, colour: tuple[int, int, int]) -> bool:
    with Image.open(io.BytesIO(figure.png)) as picture:
        assert picture.width > 1000
        return bool((np.asarray(picture.convert("RGB")) == colour).all(axis=-1).any())


def test_figures_are_pictures_with_a_colour_an_arm_or_solver(tables: list[StudyTable]) -> None:
    figures = tables[0].figures
    assert [figure.file for figure in figures] == FILES
    blue, vermilion, green = (0, 0x72, 0xB2), (0xD5, 0x5E, 0), (0, 0x9E, 0x73)
    for figure in figures:
        assert [_shows(figure, colour) for colour in (blue, vermilion, green)] == [True, True, False]


def test_the_document_shows_readings_figures_and_numbers(tables: list[StudyTable]) -> None:
    text = document_text(tables)
    for figure in tables[0].figures:
        assert f"## {figure.heading}\n\n- {figure.readings[0]}" in text
        assert f"]({figure.file})" in text
        assert figure.caption in text
    section = text.split("## Error against start step")[1].split("\n## ")[0]
    rows = [line.split(" | ")[:5] for line in section.splitlines() if line.startswith("| DifFace")]
    assert rows[:2] == [
        ["| DifFace srcnn", "ddim 20, eta 0.5", "gfpgan", "inside", number] for number in ("alone", "100")
    ]
    assert len(rows) == 2 * 2 * (1 + 4)
    assert "contracts the backbone's error" in " ".join(console_text(tables).split())


def test_a_study_without_such_records_has_none(make: MakeRecord) -> None:
    (table,) = study_tables([make(arm, w) for arm in "ab" for w in (0.0, 1.0)], Choices(resamples=200))
    assert table.figures == []
    assert "start step" not in document_text([table])


def test_two_studies_keep_their_figures_apart(make: MakeRecord, tmp_path: Path) -> None:
    records = list(difface_records(make, ["swinir"], ["severe"]))
    make("other", study="another")
    root = records[0].folder.parent
    found = write_leaderboard(root, tmp_path / "out", Choices(resamples=200))
    written = {path.name for path in found.paths}
    assert {f"{Path(name).stem}-made_up.png" for name in FILES} <= written
    assert all(path.stat().st_size > 10_000 for path in found.paths if path.stem.startswith(("start", "evaluations")))


@pytest.mark.parametrize("width", [390, 1440])
def test_a_browser_shows_the_figures_on_every_ranking(tables: list[StudyTable], tmp_path: Path, width: int) -> None:
    path = write_page(tmp_path / "page" / "leaderboard.html", tables)
    driver = """
      const images = all(".study-figure img");
      return {
        ...hook(),
        loaded: images.map((image) => image.naturalWidth > 1000),
        readings: texts(".study-figure li"),
        links: texts("nav a"),
        facts: one(".headline .facts").textContent,
        lines: all(".arm-line").length,
      };
    """
    shown = [found_browser(tmp_path).run(path, width, 900, driver, f"view={view}").result for view in (0, 1)]
    for result, recipe in zip(shown, ("inside", "outside"), strict=True):
        assert (result["errors"], int(result["overflow"]) <= 0) == ("0", True)
        assert result["loaded"] == [True, True]
        assert result["readings"] == [text for figure in tables[0].figures for text in figure.readings]
        assert f"{recipe} the training recipes of every arm" in result["facts"]
        assert result["links"] == ["made_up · synthetic · gfpgan", "made_up · synthetic · severe"]
        assert result["lines"] == 3
