"""The figure of a frontier: identity over distance, CodeFormer's curve as reference, and the Pareto front."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from src.checkpoints.files import atomic_path
from src.leaderboard.cells import short
from src.leaderboard.definition import ARROWS
from src.leaderboard.frontier import CERTAINTY, Frontier, FrontierPoint
from src.leaderboard.label_placement import place_labels
from src.leaderboard.palette import FIGURE_STYLE, Look, look_of
from src.leaderboard.render import number
from src.leaderboard.series import FIDELITY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

DPI = 200
_GREY = "0.45"
_REFERENCE = "0.15"
_FAR = 0.6
"""A baseline further away than this share of the arms' range is named above the figure instead of drawn."""
_CALLOUT = 14.0
"""A label further than this from its point (typographic points) has a line to it."""
_STEP = 5.0
"""Pixels between the places of a line that labels keep off."""


def write_frontier(path: Path, frontier: Frontier, title: str) -> Path:
    """Write the figure as PNG and return its path.

    A marker a setting, a thin line along w or another knob of each arm, the reference wide and with its w, the front as
    steps, baselines grey; a bar beside the axes shows how wide a 95 % interval of identity is.
    """
    import matplotlib

    with matplotlib.rc_context(FIGURE_STYLE):
        _draw(path, frontier, title)
    return path


def _draw(path: Path, frontier: Frontier, title: str) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.1, 4.9), dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.085, 0.1, 0.86, 0.805))
    points = [point for point in frontier.points if not point.baseline]
    looks = {arm: look_of(index) for index, arm in enumerate(dict.fromkeys(point.arm for point in points))}
    drawn = [*points, *_limits(axes, frontier)]
    _front(axes, points)
    for line in _lines(points):
        _line(axes, line, looks[line[0].arm])
    _reference(axes, frontier.reference)
    _interval(axes, points)
    for point in drawn[len(points) :]:
        axes.plot(point.distance, point.identity, marker="x", color=_GREY, markersize=6, linestyle="none", zorder=3)
    _texts(axes, frontier, title)
    _labels(axes, drawn, frontier.reference, looks)
    with atomic_path(path) as temporary:
        figure.savefig(temporary)


def _limits(axes: "Axes", frontier: Frontier) -> list[FrontierPoint]:
    """Set the axes to the arms and the baselines near them, name the others above, and return those near."""
    arms = np.array([(point.distance, point.identity) for point in frontier.points if not point.baseline])
    low, high = arms.min(axis=0), arms.max(axis=0)
    span = np.maximum(high - low, 1e-3 * np.maximum(np.abs(high), 1e-6))
    near: list[FrontierPoint] = []
    far: list[FrontierPoint] = []
    for point in (point for point in frontier.points if point.baseline):
        place = np.array([point.distance, point.identity])
        (near if (np.abs(place - np.clip(place, low, high)) <= _FAR * span).all() else far).append(point)
    shown = np.array([*arms.tolist(), *((point.distance, point.identity) for point in near)])
    low, high = shown.min(axis=0), shown.max(axis=0)
    margin = np.maximum(high - low, span) * (0.08, 0.1)
    axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
    axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
    outside = "; ".join(f"{point.arm} at ({number(point.distance)}, {number(point.identity)})" for point in far)
    if outside:
        axes.text(0, 1.015, f"Outside: {outside}", transform=axes.transAxes, fontsize=6.5, color=_GREY, va="bottom")
    return near


def _lines(points: Sequence[FrontierPoint]) -> list[list[FrontierPoint]]:
    """Points that are joined, by rising knob."""
    lines: dict[str | None, list[FrontierPoint]] = {}
    for point in points:
        lines.setdefault(point.line, []).append(point)
    return [sorted(line, key=lambda point: point.along or 0.0) for line in lines.values()]


def _line(axes: "Axes", points: Sequence[FrontierPoint], look: Look) -> None:
    style: dict[str, Any] = {"color": look.colour, "marker": look.marker, "markersize": 4.5, "zorder": 4}
    joined = all(point.along is not None for point in points)
    axes.plot(*_columns(points), linestyle=look.line if joined else "none", linewidth=0.9, **style)


def _reference(axes: "Axes", curve: Sequence[FrontierPoint]) -> None:
    if curve:
        axes.plot(*_columns(curve), color=_REFERENCE, linewidth=3.4, alpha=0.4, zorder=3, solid_capstyle="round")


def _interval(axes: "Axes", points: Sequence[FrontierPoint]) -> None:
    """A bar of the median width beside the axes: at every point they would hide it, and they are not the paired ones."""
    widths = [high - low for low, high in (point.identity_interval for point in points if point.identity_interval)]
    if not widths:
        return
    bottom, top = axes.get_ylim()
    share = float(np.median(widths)) / (top - bottom)
    x, height = 1.02, min(share, 1.0)
    style: dict[str, Any] = {"color": _GREY, "linewidth": 1.0, "marker": "_", "markersize": 4, "clip_on": False}
    axes.plot((x, x), (0, height), transform=axes.transAxes, **style)
    text = "95 % interval of one identity, median" + (", longer than the axis" if share > 1 else "")
    axes.text(x + 0.01, 0, text, transform=axes.transAxes, fontsize=6, color=_GREY, rotation=90, ha="left", va="bottom")


def _front(axes: "Axes", points: Sequence[FrontierPoint]) -> None:
    """Steps through the front, from the bottom edge to the right one: nothing measured lies above or left of them."""
    corners = _steps(points, right=axes.get_xlim()[1], bottom=axes.get_ylim()[0])
    axes.plot(*corners.T, color=_GREY, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)


def _steps(points: Sequence[FrontierPoint], right: float, bottom: float) -> Float[np.ndarray, "_ 2"]:
    """Corners of the front: up at each of its points, then to the right."""
    front = sorted((point for point in points if point.on_front), key=lambda point: (point.distance, point.identity))
    corners = [(front[0].distance, bottom)]
    for point in front:
        corners += [(point.distance, corners[-1][1]), (point.distance, point.identity)]
    return np.array([*corners, (right, corners[-1][1])])


def _texts(axes: "Axes", frontier: Frontier, title: str) -> None:
    axes.set_xlabel(f"{frontier.distance_metric} {ARROWS['lower']} at n = {frontier.n}")
    axes.set_ylabel(f"{frontier.identity_label} {ARROWS['higher']}")
    axes.set_title(title, loc="left", pad=16)
    axes.grid(linewidth=0.4, alpha=0.35)
    curve = f"wide line: w curve of {short(frontier.reference[0].arm)}; " if frontier.reference else ""
    legend = f"better: up and left; {curve}dashed: Pareto front"
    for y, text in ((1.055, legend), (-0.09, CERTAINTY)):
        axes.text(1, y, text, transform=axes.transAxes, fontsize=6.5, color=_GREY, ha="right", va="bottom")


def _labels(
    axes: "Axes", points: Sequence[FrontierPoint], reference: Sequence[FrontierPoint], looks: dict[str, Look]
) -> None:
    """Name every line and baseline once, w along the reference, and both ends of a line along another knob."""
    texts, anchors = [], []
    for value, point in [*((f"w {point.fidelity:g}", point) for point in reference), *_ends(points)]:
        colour = _REFERENCE if point in reference else looks[point.arm].colour
        texts.append(axes.text(0, 0, value, fontsize=6, color=colour, zorder=6))
        anchors.append(_pixels(axes, np.array([(point.distance, point.identity)])))
    for name, own in _named(points):
        colour = looks[own[0].arm].colour if own[0].arm in looks else _GREY
        texts.append(axes.text(0, 0, name, fontsize=7.5, color=colour, zorder=6))
        anchors.append(_pixels(axes, np.array([(point.distance, point.identity) for point in own])))
    unit = DPI / 72
    extents = [text.get_window_extent() for text in texts]
    frame = axes.get_window_extent()
    found = place_labels(
        anchors,
        [(float(extent.width), float(extent.height)) for extent in extents],
        _occupied(axes, points),
        (float(frame.x0), float(frame.y0), float(frame.x1), float(frame.y1)),
        unit,
    )
    for text, (box, anchor) in zip(texts, found, strict=True):
        _attach(axes, text, box, anchor, unit)


def _named(points: Sequence[FrontierPoint]) -> list[tuple[str, list[FrontierPoint]]]:
    """What is named: each line of several settings; of an arm or baseline without one, all its points together."""
    found = []
    for arm in dict.fromkeys(point.arm for point in points):
        own = [point for point in points if point.arm == arm]
        lines = [line for line in _lines(own) if len(line) > 1 and line[0].line is not None]
        found += [(short(arm) + str(line[0].line).removeprefix(arm), line) for line in lines] or [(short(arm), own)]
    return found


def _ends(points: Sequence[FrontierPoint]) -> list[tuple[str, FrontierPoint]]:
    """First and last value along each arm's first line that runs along another knob than w."""
    first: dict[str, list[FrontierPoint]] = {}
    for line in _lines([point for point in points if point.knob not in (None, FIDELITY)]):
        first.setdefault(line[0].arm, line)
    ends = [end for line in first.values() if len(line) > 1 for end in (line[0], line[-1])]
    return [(f"{end.knob} {end.along:g}", end) for end in ends]


def _attach(
    axes: "Axes", text: "Text", box: tuple[float, float, float, float], anchor: tuple[float, float], unit: float
) -> None:
    """Move a label to its box, with a line to its point where that is far."""
    extent = text.get_window_extent()
    to_data = axes.transData.inverted()
    text.set_position(tuple(to_data.transform((box[0], box[1]))))
    origin = text.get_window_extent()
    # The box of a text begins below its baseline.
    shift = (box[0] + box[0] - origin.x0, box[1] + box[1] - origin.y0)
    text.set_position(tuple(to_data.transform(shift)))
    nearest = (min(max(anchor[0], box[0]), box[2]), min(max(anchor[1], box[1]), box[3]))
    if float(np.hypot(nearest[0] - anchor[0], nearest[1] - anchor[1])) > _CALLOUT * unit and extent.width > 0:
        x, y = to_data.transform([anchor, nearest]).T
        axes.plot(x, y, color=text.get_color(), linewidth=0.5, alpha=0.7, zorder=5)


def _occupied(axes: "Axes", points: Sequence[FrontierPoint]) -> Float[np.ndarray, "_ 2"]:
    """Pixels of the markers, and along the lines of the arms and of the front."""
    arms = [point for point in points if not point.baseline]
    lines = [_steps(arms, right=axes.get_xlim()[1], bottom=axes.get_ylim()[0])]
    lines += [np.transpose(_columns(line)) for line in _lines(arms)]
    found = [_pixels(axes, np.transpose(_columns(points)))]
    for places in (_pixels(axes, line) for line in lines):
        for start, end in pairwise(places):
            steps = max(2, int(np.hypot(*(end - start)) / _STEP))
            found.append(start + np.linspace(0, 1, steps)[:, None] * (end - start))
    return np.concatenate(found)


def _pixels(axes: "Axes", places: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    return np.asarray(axes.transData.transform(places), dtype=np.float64)


def _columns(points: Sequence[FrontierPoint]) -> tuple[list[float], list[float]]:
    return [point.distance for point in points], [point.identity for point in points]
