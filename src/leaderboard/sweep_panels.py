"""Panels of a sweep: one role each, a line an arm or solver, with the level of what is refined, alone."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from src.leaderboard.palette import MARKERS
from src.leaderboard.recipe_state import RecipeState
from src.leaderboard.sweep import SweepLine, known_values
from src.leaderboard.sweep_grid import role_heading

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 200
LINE_STYLES: dict[RecipeState, Any] = {"inside": "-", "outside": (0, (4, 2)), "unknown": (0, (1, 1.5))}
STATE_TEXTS: dict[RecipeState, str] = {
    "inside": "trained on",
    "outside": "not trained on",
    "unknown": "training not recorded",
}
_MARKER_SIZE = 3.5
_GREY = "0.45"


@dataclass(frozen=True)
class DrawnLine:
    """A line and how it is drawn: colour by what is compared, dashes by recipe, marker by benchmark."""

    line: SweepLine
    colour: str
    label: str


def draw_panel(axes: "Axes", role: str, drawn: Sequence[DrawnLine], alone_at: int | None) -> None:
    """Every line of one role with its paired intervals as a band.

    Args:
        alone_at: where on the axis what is refined has a mark of its own, joined to each line, and its level the line's
            colour; None where the lines share it.
    """
    places = list(dict.fromkeys(entry.line.place for entry in drawn))
    for entry in drawn:
        marker = MARKERS[places.index(entry.line.place) % len(MARKERS)]
        _line(axes, role, entry, marker, alone_at)
    axes.set_title(role_heading(role, [entry.line for entry in drawn]), loc="left", fontsize=8)
    axes.grid(axis="y", linewidth=0.4, alpha=0.4)


def _line(axes: "Axes", role: str, drawn: DrawnLine, marker: str, alone_at: int | None) -> None:
    known = known_values(drawn.line, role)
    if not known:
        return
    style: dict[str, Any] = {"color": drawn.colour, "linestyle": LINE_STYLES[drawn.line.place.state]}
    level = known[0][1].reference
    start = [] if alone_at is None else [(alone_at, level)]
    places = [*start, *((at, entry.value) for at, entry in known)]
    xs, ys = [at for at, _ in places], [value for _, value in places]
    axes.plot(xs, ys, marker=marker, markersize=_MARKER_SIZE, linewidth=1.1, label=drawn.label, **style)
    if start:
        axes.plot(xs[:1], ys[:1], marker=marker, markersize=_MARKER_SIZE + 1, markerfacecolor="white", **style)
    axes.axhline(level, linewidth=0.7, alpha=0.35, zorder=1, **style | ({} if start else {"color": _GREY}))
    banded = [(at, entry.bounds) for at, entry in known if entry.bounds is not None]
    lows, highs = [low for _, (low, _) in banded], [high for _, (_, high) in banded]
    axes.fill_between([at for at, _ in banded], lows, highs, color=drawn.colour, alpha=0.12, linewidth=0)


def where(line: SweepLine) -> str:
    """Degradations of a line, and whether its arm was trained on them."""
    return f"{line.place.benchmark} ({STATE_TEXTS[line.place.state]})"


def legend_entries(figure: "Figure") -> dict[str, Any]:
    """Each label once with its handle."""
    return {
        label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }


def png_of(figure: "Figure") -> bytes:
    """The figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()
