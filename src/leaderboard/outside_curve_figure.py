"""The figure of CodeFormer++: identity against Fréchet distance, with CodeFormer's own curve over w."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from src.leaderboard.cells import short
from src.leaderboard.definition import ARROWS
from src.leaderboard.label_placement import place_labels
from src.leaderboard.outside_curve import CurvePoint, HeldPoint, OutsideCurve, margins
from src.leaderboard.palette import FIGURE_STYLE, Look, look_of
from src.leaderboard.setting import NO_SETTING
from src.leaderboard.sweep_panels import legend_entries, png_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CURVE = "0.2"
_SHADE = "0.93"
_COLUMNS = 2
_FARTHEST = 12.0
"""Typographic points between a label and its w."""
_STEPS = 600
"""Distances at which the edge of the shaded region is drawn."""


def outside_figure(curves: Sequence[OutsideCurve], title: str) -> bytes:
    """PNG with a panel a benchmark: the curve with its w, what it reaches shaded, and the points with their margins.

    A filled mark is surely outside, as far as resampling the faces can tell, a hollow one is not. Its bar is the 95 %
    interval of the margin in identity, drawn around the point.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(_name(point) for found in curves for point in found.points))
    looks = {name: look_of(index) for index, name in enumerate(names)}
    columns = min(_COLUMNS, len(curves))
    with matplotlib.rc_context(FIGURE_STYLE):
        rows, below = -(-len(curves) // columns), 0.2 * -(-len(looks) // _COLUMNS)
        figure = Figure(figsize=(3.55 * max(columns, 1.6), 3.2 * rows + 0.5 + below), layout="constrained")
        FigureCanvasAgg(figure)
        panels = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axes, found in zip(panels, curves, strict=False):
            _panel(axes, found, looks)
        for axes in panels[len(curves) :]:
            axes.set_axis_off()
        entries = legend_entries(figure)
        figure.legend(
            entries.values(), entries.keys(), loc="outside lower center", ncols=_COLUMNS, fontsize=7, handlelength=1.6
        )
        figure.suptitle(title, fontsize=9)
        # Labels are placed among pixels, which stand still once the layout is made.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        for axes, found in zip(panels, curves, strict=False):
            _fidelities(axes, found)
        return png_of(figure)


def _name(point: HeldPoint) -> str:
    return short(point.arm) + ("" if point.setting == NO_SETTING else f" ({point.setting})")


def _panel(axes: "Axes", found: OutsideCurve, looks: dict[str, Look]) -> None:
    for point in found.points:
        _point(axes, point, looks[_name(point)])
    distances, identities = (
        np.array(values) for values in zip(*((p.distance, p.identity) for p in found.curve), strict=True)
    )
    label = f"{short(found.arm)}, w {found.curve[0].fidelity:g} to {found.curve[-1].fidelity:g}"
    axes.plot(distances, identities, color=_CURVE, linewidth=1.8, marker="o", markersize=3, label=label, zorder=3)
    axes.margins(0.12)
    axes.autoscale_view()
    _shade(axes, found)
    axes.set_xlabel(f"{found.distance_metric} {ARROWS['lower']} at n = {found.n_distance}", fontsize=7)
    axes.set_ylabel(f"{found.identity_metric} {ARROWS['higher']}", fontsize=7)
    axes.set_title(f"{found.benchmark}; better: up and left", loc="left", fontsize=8)
    axes.grid(linewidth=0.4, alpha=0.35)


def _point(axes: "Axes", point: HeldPoint, look: Look) -> None:
    surely = "" if point.holds else ", not surely"
    style: dict[str, Any] = {"color": look.colour, "zorder": 4}
    axes.plot(
        point.distance,
        point.identity,
        marker=look.marker,
        markersize=6,
        markerfacecolor=look.colour if point.position == "outside" and point.holds else "white",
        linestyle="none",
        label=f"{_name(point)}: {point.position}{surely}",
        **style,
    )
    if point.more_faithful.interval is not None:
        edge = point.identity - point.more_faithful.value
        bounds = [edge + bound for bound in point.more_faithful.interval]
        axes.plot([point.distance] * 2, bounds, linewidth=1.0, **style)


def _fidelities(axes: "Axes", found: OutsideCurve) -> None:
    """Name w along the curve, its ends first; where there is no room for a label close by, it is left out."""
    unit = axes.figure.dpi / 72
    curve = _pixels(axes, found.curve)
    left, bottom, right, top = map(float, axes.get_window_extent().extents)
    order = [0, len(curve) - 1, *range(1, len(curve) - 1)]
    texts = [axes.text(0, 0, f"w {found.curve[place].fidelity:g}", fontsize=6, color=_CURVE) for place in order]
    sizes = [(float(extent.width), float(extent.height)) for extent in (text.get_window_extent() for text in texts)]
    anchors = [curve[place : place + 1] for place in order]
    occupied = np.concatenate([_along(curve), _pixels(axes, found.points)])
    boxes = place_labels(anchors, sizes, occupied, (left, bottom, right, top), unit)
    for text, (box, anchor) in zip(texts, boxes, strict=True):
        apart = np.hypot(*(np.clip(anchor, box[:2], box[2:]) - anchor))
        text.set(
            position=axes.transData.inverted().transform(box[:2]), visible=bool(apart < _FARTHEST * unit), va="bottom"
        )


def _pixels(axes: "Axes", points: Sequence[CurvePoint] | Sequence[HeldPoint]) -> Float[np.ndarray, "n 2"]:
    return np.asarray(axes.transData.transform([(point.distance, point.identity) for point in points]))


def _along(corners: Float[np.ndarray, "k 2"]) -> Float[np.ndarray, "n 2"]:
    """Places on the line through the corners."""
    shares = np.linspace(0, 1, 20)[:, None]
    return np.concatenate([start + shares * (end - start) for start, end in pairwise(corners)])


def _shade(axes: "Axes", found: OutsideCurve) -> None:
    """Everything that some point of the curve is at least as good as in both."""
    low, high = axes.get_xlim()
    bottom, top = axes.get_ylim()
    nearest = min(point.distance for point in found.curve)
    at = np.linspace(nearest, max(high, nearest), _STEPS)
    identities = np.array([[point.identity for point in found.curve]])
    distances = np.array([point.distance for point in found.curve])
    edge = [float(margins(identities, distances, np.zeros(1), float(place))[1][0]) for place in at]
    axes.fill_between(at, bottom, -np.array(edge), color=_SHADE, linewidth=0, zorder=0)
    axes.set_xlim(low, high)
    axes.set_ylim(bottom, top)
