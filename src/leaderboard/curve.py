"""Fidelity-quality curves: how each metric moves with the fidelity weight w (perception and distortion part ways)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.checkpoints.files import atomic_path
from src.leaderboard.columns import baselines
from src.leaderboard.comparable import Protocol
from src.leaderboard.definition import ARROWS, direction_of
from src.leaderboard.knobs import Setting
from src.leaderboard.palette import FIGURE_STYLE, Look, look_of
from src.leaderboard.ranking import placed
from src.leaderboard.render import number
from src.leaderboard.row import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANEL_ROLES = ("perceptual", "distribution", "identity", "psnr")

_BASELINE_STYLES = ("--", ":")
_FAR = 0.6
"""A baseline further away than this share of the curves' range is named at the panel's edge instead of drawn."""


def write_curves(path: Path, rows: Sequence[Row], protocol: Protocol, title: str) -> bool:
    """Write one panel a role as PNG; false, and no file, if no arm has values.

    An arm that the knob does not move is a flat line; bands are 95 % intervals over images; baselines are grey lines.
    """
    arms = list(dict.fromkeys(row.arm for row in rows if row.ranked))
    metrics = _panels(rows, protocol)
    if not arms or not metrics:
        return False
    import matplotlib

    with matplotlib.rc_context(FIGURE_STYLE):
        _draw(path, rows, arms, metrics, title)
    return True


def _panels(rows: Sequence[Row], protocol: Protocol) -> list[str]:
    """Metric ids of the roles that are drawn, in the order of the roles."""
    roles = next((row.records[0].record.roles for row in rows if row.ranked and protocol.metric in row.cells), {})
    return [roles[role] for role in PANEL_ROLES if role in roles]


def _draw(path: Path, rows: Sequence[Row], arms: Sequence[str], metrics: Sequence[str], title: str) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(2, len(metrics))
    lines = -(-len(metrics) // columns)
    levels = baselines(rows)
    legend_lines = -(-(len(arms) + len(levels)) // 4)
    height = 2.3 * lines + 0.22 * legend_lines + 0.45
    figure = Figure(figsize=(3.55 * columns, height), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    looks = {arm: look_of(index) for index, arm in enumerate(arms)}
    panels = figure.subplots(lines, columns, squeeze=False).flat
    for axes, metric in zip(panels, metrics, strict=False):
        _panel(axes, metric, rows, levels, looks)
    for axes in list(figure.axes)[len(metrics) :]:
        axes.remove()
    named = {label: line for axes in figure.axes for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(
        named.values(), named.keys(), loc="outside lower center", ncols=4, handlelength=2.6, columnspacing=1.4
    )
    figure.suptitle(title, fontsize=9)
    with atomic_path(path) as temporary:
        figure.savefig(temporary)


def _panel(axes: "Axes", metric: str, rows: Sequence[Row], constant: Sequence[Row], looks: dict[str, Look]) -> None:
    settings = {row.arm: row.setting for row in placed(rows)}
    for arm, look in looks.items():
        _curve(axes, arm, [row for row in rows if _shown(row, arm, settings.get(arm), metric)], metric, look)
    axes.set_xlabel("fidelity weight $w$")
    axes.set_xlim(-0.03, 1.03)
    axes.grid(axis="y", linewidth=0.4, alpha=0.4)
    levels = {row.arm: row.cells[metric].value for row in constant if metric in row.cells}
    outside = _baselines(axes, {arm: value for arm, value in levels.items() if value is not None})
    definition = next(row.cells[metric].definition for row in rows if metric in row.cells)
    axes.set_title(f"{metric} {ARROWS[direction_of(definition)]}", loc="left", pad=14 if outside else 6)
    axes.text(0, 1.015, ", ".join(outside), transform=axes.transAxes, fontsize=6.5, color="0.35", va="bottom")


def _shown(row: Row, arm: str, setting: Setting | None, metric: str) -> bool:
    """Of an arm with other knobs than w, only the settings that share those with its best row are one curve."""
    if not row.ranked or (row.arm, row.setting) != (arm, setting) or metric not in row.cells:
        return False
    cell = row.cells[metric]
    return cell.value is not None and not cell.refused


def _curve(axes: "Axes", arm: str, rows: Sequence[Row], metric: str, look: Look) -> None:
    flat = all(not row.has_knob for row in rows)
    if flat:
        known = [(w, row.cells[metric]) for row in rows[:1] for w in (0.0, 1.0)]
    else:
        known = [(row.fidelity, row.cells[metric]) for row in rows if row.fidelity is not None]
    values = [float("nan") if cell.value is None else cell.value for _, cell in known]
    marker = "" if flat else look.marker
    style: dict[str, Any] = {"color": look.colour, "linestyle": look.line, "marker": marker}
    axes.plot([w for w, _ in known], values, markersize=3.5, linewidth=1.2, label=arm, **style)
    banded = [(w, cell.interval) for w, cell in known if cell.interval is not None]
    lows, highs = [pair[0] for _, pair in banded], [pair[1] for _, pair in banded]
    axes.fill_between([w for w, _ in banded], lows, highs, color=look.colour, alpha=0.09, linewidth=0)


def _baselines(axes: "Axes", levels: dict[str, float]) -> list[str]:
    """Draw the levels that lie near the curves; for the others, what to write above the panel."""
    low, high = axes.get_ylim()
    margin = _FAR * (high - low)
    outside = []
    for index, (arm, value) in enumerate(levels.items()):
        style: dict[str, Any] = {
            "color": "0.35",
            "linestyle": _BASELINE_STYLES[index % len(_BASELINE_STYLES)],
            "linewidth": 1.0,
        }
        if low - margin <= value <= high + margin:
            axes.axhline(value, label=arm, **style)
        else:
            outside.append(f"{arm} {number(value)} {'above' if value > high else 'below'}")
    return outside
