"""Tables for a paper: whole, escaped, and bold where the numbers allow it."""

import re

import pytest

from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.latex import escaped, latex_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50 % of a_b & c#d $5 {x}", r"50 \% of a\_b \& c\#d \$5 \{x\}"),
        (
            r"C:\dir~^<|>",
            r"C:\textbackslash{}dir\textasciitilde{}\textasciicircum{}\textless{}\textbar{}\textgreater{}",
        ),
        ("psnr ↑ lpips ↓ –", r"psnr $\uparrow$ lpips $\downarrow$ \textendash{}"),
        ("a--b", "a-{}-b"),
        ("Fréchet\nβ", "Fréchet [U+03B2]"),
    ],
)
def test_every_character_is_printed_as_itself(text: str, expected: str) -> None:
    assert escaped(text) == expected


def _text(records) -> str:
    return latex_text(study_tables(records, Choices(resamples=500)), 500, 0)


def _lines(text: str) -> list[list[str]]:
    """Cells of every line of every table."""
    return [re.split(r"(?<!\\)&", line.removesuffix(r" \\")) for line in text.splitlines() if line.endswith(r" \\")]


def test_every_line_has_a_cell_for_every_column(make) -> None:
    records = [
        make("50%_{odd}&arm\\", shift=0.1),
        make("b"),
        make("input", None, baseline=True, weights={}, cost=None),
        make("foreign", benchmark={"hash": "ffff", "name": "celeba", "n": 64}),
    ]
    text = _text(records)
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 2
    columns = re.search(r"\\begin\{tabular\}\{@\{\}(l+r+)@\{\}\}", text).group(1)
    assert {len(line) for line in _lines(text)} == {len(columns)}
    assert r"50\%\_\{odd\}\&arm\textbackslash{}" in text
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    assert re.findall(r"\\(\w+rule)", text)[:4] == ["toprule", "midrule", "midrule", "bottomrule"]


def test_the_caption_says_what_the_numbers_are(make) -> None:
    text = _text([make("a"), make("b")])
    caption = next(line for line in text.splitlines() if line.startswith(r"\caption"))
    assert "n = 64 faces, benchmark benchbenchbe" in caption
    assert r"Ordered by st\_lpips: lower is better; n=64; f; s; extractor abababab; version 1" in caption


def test_bold_is_the_best_and_what_is_not_told_apart_from_it(make) -> None:
    records = [make("best", spread=0.02), make("tied", spread=0.02), make("worse", shift=0.2)]
    lines = {cells[1].strip(): [r"\textbf" in cell for cell in cells] for cells in _lines(_text(records))}
    # rank, arm, w, st_lpips, fd (the same value for both), id, psnr, four of cost
    assert lines["best"] == lines["tied"] == [False] * 3 + [True] * 4 + [False] * 4
    assert not any(lines["worse"])
