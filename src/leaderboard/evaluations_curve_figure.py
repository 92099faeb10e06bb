"""The figure of quality against network evaluations."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from src.leaderboard.cells import short
from src.leaderboard.evaluations_curve import SolverLines
from src.leaderboard.palette import FIGURE_STYLE, look_of
from src.leaderboard.sweep import roles_of
from src.leaderboard.sweep_panels import DrawnLine, draw_panel, legend_entries, png_of, where

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST_BESIDE = 60
"""Characters of a label that has room beside another one."""


def evaluations_figure(groups: Sequence[SolverLines], title: str) -> bytes:
    """PNG with a line of panels an arm and a panel a role, over network evaluations; a colour a solver."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    arms = list(dict.fromkeys(group.arm for group in groups))
    roles = roles_of([line for group in groups for line in group.lines])
    drawn = _drawn(groups)
    labels = {entry.label for entry in drawn}
    columns = 2 if max(map(len, labels)) <= _LONGEST_BESIDE else 1
    with matplotlib.rc_context(FIGURE_STYLE):
        below = 0.18 * -(-len(labels) // columns)
        figure = Figure(figsize=(7.1, 1.95 * len(arms) + below + 0.6), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(len(arms), len(roles), squeeze=False)
        for line, arm in zip(panels, arms, strict=True):
            own = [entry for entry in drawn if entry.line.arm == arm]
            for axes, role in zip(line, roles, strict=True):
                draw_panel(axes, role, own, alone_at=None)
                _log_axis(axes)
            line[0].set_ylabel(short(arm), fontsize=7.5)
        named = legend_entries(figure)
        figure.legend(
            named.values(), named.keys(), loc="outside lower center", ncols=columns, fontsize=6.5, handlelength=2.8
        )
        figure.suptitle(title, fontsize=9)
        return png_of(figure)


def _log_axis(axes: "Axes") -> None:
    """Evaluations as plain numbers at 1, 2 and 5 of each power of ten."""
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.set_xlabel("network evaluations", fontsize=7)


def _drawn(groups: Sequence[SolverLines]) -> list[DrawnLine]:
    lines = [line for group in groups for line in group.lines]
    colours = {fixed: look_of(index).colour for index, fixed in enumerate(dict.fromkeys(line.fixed for line in lines))}
    return [DrawnLine(line, colours[line.fixed], f"{', '.join(line.fixed)}: {where(line)}") for line in lines]
