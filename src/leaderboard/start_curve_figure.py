"""The figure of error against start."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from src.leaderboard.cells import short
from src.leaderboard.palette import FIGURE_STYLE, look_of
from src.leaderboard.refinement import DIFFACE
from src.leaderboard.sweep import SweepLine, roles_of
from src.leaderboard.sweep_panels import DrawnLine, draw_panel, legend_entries, png_of, where

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GREY = "0.45"
_COLUMNS = 3
_MOST_BESIDE = 5
"""Lines whose legend has room in a panel of its own."""


def start_figure(lines: Sequence[SweepLine], title: str) -> bytes:
    """PNG with a panel a role over the start, at 0 what is refined alone; for DifFace, the theory of its process in another.

    Solid lines are of benchmarks with a recipe that the arm was trained on, dashed ones of others.

    Args:
        lines: of one refinement.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    roles = roles_of(lines)
    with matplotlib.rc_context(FIGURE_STYLE):
        refinement = lines[0].refinement
        theory = 1 if refinement == DIFFACE else 0
        rows = -(-(len(roles) + theory + 1) // _COLUMNS)
        below = 0.0 if len(lines) <= _MOST_BESIDE else 0.3 * -(-len(lines) // _COLUMNS)
        figure = Figure(figsize=(7.1, 2.15 * rows + 0.3 + below), layout="constrained")
        FigureCanvasAgg(figure)
        panels = list(figure.subplots(rows, _COLUMNS, squeeze=False).flat)
        drawn = _drawn(lines)
        for axes, role in zip(panels, roles, strict=False):
            draw_panel(axes, role, drawn, alone_at=0)
            axes.set_xlabel(f"{refinement.axis} (0: {refinement.noun} alone)", fontsize=7)
        rest = panels[len(roles) + theory :]
        if theory:
            _theory(panels[len(roles)], lines)
        for axes in rest:
            axes.set_axis_off()
        _legend(figure, rest, legend_entries(figure))
        figure.suptitle(title, fontsize=9)
        return png_of(figure)


def _drawn(lines: Sequence[SweepLine]) -> list[DrawnLine]:
    colours = {arm: look_of(index).colour for index, arm in enumerate(dict.fromkeys(line.arm for line in lines))}
    return [
        DrawnLine(line, colours[line.arm], f"{short(line.arm)}, {', '.join(line.fixed)}\n  {where(line)}")
        for line in lines
    ]


def _theory(axes: "Axes", lines: Sequence[SweepLine]) -> None:
    """sqrt(alpha_bar_N) of the published process: what is left of the backbone's error in the state that sampling starts
    from, before the network has seen it."""
    from src.diffusion.schedule import NoiseSchedule

    share = np.sqrt(NoiseSchedule.linear().alphas_cumprod)
    starts = sorted({int(point.at) for line in lines for point in line.points if point.at < len(share)})
    axes.plot(share[: starts[-1] + 1], color=_GREY, linewidth=0.9)
    axes.plot(starts, share[starts], color=_GREY, marker=".", linestyle="none")
    axes.set_ylim(0, 1.04)
    axes.set_title(r"theory: $\sqrt{\bar\alpha_N}$, linear 1000 steps", loc="left", fontsize=8, color=_GREY)
    axes.set_xlabel("start step $N$", fontsize=7)
    note = "backbone's error left\nin the noised state;\nnot a measurement"
    axes.text(0.97, 0.95, note, transform=axes.transAxes, fontsize=6.5, color=_GREY, ha="right", va="top")
    axes.grid(axis="y", linewidth=0.4, alpha=0.4)


def _legend(figure: "Figure", free: Sequence["Axes"], entries: dict[str, Any]) -> None:
    """In the first free panel, over the next one if it is too wide; below the panels if there are many lines."""
    style: dict[str, Any] = {"fontsize": 6.5, "handlelength": 2.8}
    if len(entries) <= _MOST_BESIDE:
        legend = free[0].legend(entries.values(), entries.keys(), loc="center left", labelspacing=0.9, **style)
        legend.set_in_layout(len(free) == 1)
    else:
        figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=_COLUMNS, **style)
