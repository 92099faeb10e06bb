"""The figure of error against start step."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from src.leaderboard.cells import short
from src.leaderboard.palette import FIGURE_STYLE, look_of
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
    """PNG with a panel a role over N, the backbone alone at N = 0, and the theory of the noised state in a panel of its own.

    Solid lines are of benchmarks with a recipe that the arm was trained on, dashed ones of others.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    roles = roles_of(lines)
    with matplotlib.rc_context(FIGURE_STYLE):
        rows = -(-(len(roles) + 2) // _COLUMNS)
        below = 0.0 if len(lines) <= _MOST_BESIDE else 0.3 * -(-len(lines) // _COLUMNS)
        figure = Figure(figsize=(7.1, 2.15 * rows + 0.3 + below), layout="constrained")
        FigureCanvasAgg(figure)
        panels = list(figure.subplots(rows, _COLUMNS, squeeze=False).flat)
        drawn = _drawn(lines)
        for axes, role in zip(panels, roles, strict=False):
            draw_panel(axes, role, drawn, backbone_at=0)
            axes.set_xlabel("start step $N$ (0: backbone alone)", fontsize=7)
        _theory(panels[len(roles)], lines)
        for axes in panels[len(roles) + 1 :]:
            axes.set_axis_off()
        _legend(figure, panels[len(roles) + 1], legend_entries(figure))
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
    starts = sorted({point.at for line in lines for point in line.points if point.at < len(share)})
    axes.plot(share[: starts[-1] + 1], color=_GREY, linewidth=0.9)
    axes.plot(starts, share[starts], color=_GREY, marker=".", linestyle="none")
    axes.set_ylim(0, 1.04)
    axes.set_title(r"theory: $\sqrt{\bar\alpha_N}$, linear 1000 steps", loc="left", fontsize=8, color=_GREY)
    axes.set_xlabel("start step $N$", fontsize=7)
    note = "backbone's error left\nin the noised state;\nnot a measurement"
    axes.text(0.97, 0.95, note, transform=axes.transAxes, fontsize=6.5, color=_GREY, ha="right", va="top")
    axes.grid(axis="y", linewidth=0.4, alpha=0.4)


def _legend(figure: "Figure", axes: "Axes", entries: dict[str, Any]) -> None:
    style: dict[str, Any] = {"fontsize": 6.5, "handlelength": 2.8}
    if len(entries) <= _MOST_BESIDE:
        axes.legend(entries.values(), entries.keys(), loc="center left", labelspacing=0.9, **style)
    else:
        figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=_COLUMNS, **style)
