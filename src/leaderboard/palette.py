"""Colours, markers and type of the figures."""

from dataclasses import dataclass
from typing import Any

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8C6D31")
"""Okabe and Ito's colours, told apart with any colour vision; the yellow is darkened to be seen on white."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
FIGURE_STYLE: Any = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.linewidth": 0.7,
    "legend.frameon": False,
}


@dataclass(frozen=True)
class Look:
    """Of one arm, in every figure."""

    colour: str
    marker: str
    line: str


def look_of(index: int) -> Look:
    """The look of the arm at a place of the list; colour, marker and line together repeat late."""
    cycle = index // len(COLOURS)
    return Look(COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)], ("-", "-.")[cycle % 2])
