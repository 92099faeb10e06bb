"""The figure of identity guidance: identity against Fréchet distance over the scale, and what the guide sees of it."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from src.leaderboard.cells import short
from src.leaderboard.definition import ARROWS
from src.leaderboard.guidance_plane import LEARNED, ONES, RECOVERED, GuidancePlane, GuidedCurve, PlanePoint
from src.leaderboard.guidance_plane_reading import kind_name
from src.leaderboard.label_placement import place_labels
from src.leaderboard.near_view import near_points
from src.leaderboard.palette import FIGURE_STYLE, look_of
from src.leaderboard.sweep_panels import legend_entries, png_of
from src.settings.clr_face import MASKS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NONE = "0.2"
_GREY = "0.45"
_TARGET_MARKERS = {"oracle": "*", "input": "X"}
_LINES = ("-", "--", ":", "-.")
"""Of the usual guidance, with the full gradient, with another window, cadence or limit, and with both."""
_COLUMNS = 3
_FARTHEST = 12.0
"""Typographic points between a label and its mark."""


def guidance_figure(planes: Sequence[GuidancePlane], title: str) -> bytes:
    """PNG with a line of panels a plane: identity over distance, a curve a mask with its scales, and, where the guide was
    measured too, identity by the guide over that by the judge.

    Full marks are led to the recovered face, hollow ones to another target. Settings far from all others are named instead of
    shown: a scale that breaks the faces would squash the rest.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    has_guide = any(plane.guide for plane in planes)
    names = {kind_name(curve.kind) for plane in planes for curve in plane.curves}
    with matplotlib.rc_context(FIGURE_STYLE):
        below = 0.19 * -(-(1 + len(names)) // _COLUMNS)
        figure = Figure(figsize=(7.1 if has_guide else 5.2, 3.3 * len(planes) + 0.4 + below), layout="constrained")
        FigureCanvasAgg(figure)
        ratios = (1.7, 1.0) if has_guide else (1.0,)
        panels = figure.subplots(len(planes), len(ratios), squeeze=False, width_ratios=ratios)
        for line, plane in zip(panels, planes, strict=True):
            _plane(line[0], plane)
            if has_guide:
                _overfit(line[1], plane)
        entries = legend_entries(figure)
        figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=_COLUMNS, fontsize=7)
        figure.suptitle(title, fontsize=9)
        # Labels are placed among pixels, which stand still once the layout is made.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        for line, plane in zip(panels, planes, strict=True):
            _scales(line[0], plane)
        return png_of(figure)


def _plane(axes: "Axes", plane: GuidancePlane) -> None:
    start = plane.unguided
    for curve in plane.curves:
        at = [(point.distance, point.identity) for point in curve.points]
        _curve(axes, curve, (start.distance, start.identity), at)
        for point in curve.points:
            if point.gain is not None:
                bounds = _bounds(point, start)
                axes.plot([point.distance] * 2, bounds, linewidth=0.8, alpha=0.55, color=_colour(curve), zorder=2)
    _origin(axes, start.distance, start.identity)
    axes.set_xlabel(f"{plane.distance} {ARROWS['lower']} at n = {plane.n_distance}", fontsize=7)
    axes.set_ylabel(f"{plane.judge} {ARROWS['higher']} (judge), n = {plane.n}", fontsize=7)
    settings = f", {', '.join(plane.fixed)}" if plane.fixed else ""
    axes.set_title(f"{short(plane.arm)}{settings}\n{plane.benchmark}; better: up and left", loc="left", fontsize=8)
    view, beyond = _view(plane)
    _look_at(axes, [(point.distance, end) for point in view for end in _bounds(point, start)])
    if beyond:
        where = ", ".join(f"{kind_name(curve.kind)} {point.scale:g}" for curve, point in beyond)
        axes.text(0.02, 0.02, f"beyond the view: {where}", transform=axes.transAxes, fontsize=6)
    axes.grid(linewidth=0.4, alpha=0.35)


def _overfit(axes: "Axes", plane: GuidancePlane) -> None:
    """Identity by the guide over that by the judge, with the line on which both rise alike."""
    start = plane.unguided
    if plane.guide is None or start.guide_identity is None:
        axes.set_axis_off()
        return
    for curve in plane.curves:
        at = [(point.identity, point.guide_identity or 0.0) for point in curve.points]
        _curve(axes, curve, (start.identity, start.guide_identity), at)
    _origin(axes, start.identity, start.guide_identity)
    _look_at(axes, [(point.identity, point.guide_identity or 0.0) for point in _view(plane)[0]])
    axes.axline(
        (start.identity, start.guide_identity),
        slope=1,
        color=_GREY,
        linewidth=0.8,
        linestyle=(0, (4, 2)),
        zorder=1,
        label="guide and judge rise alike",
    )
    axes.set_xlabel(f"{plane.judge} {ARROWS['higher']} (judge)", fontsize=7)
    axes.set_ylabel(f"{plane.guide} {ARROWS['higher']} (guide)", fontsize=7)
    axes.set_title("over-fitting to the guide:\nabove the dashed line", loc="left", fontsize=8)
    axes.grid(linewidth=0.4, alpha=0.35)


def _view(plane: GuidancePlane) -> tuple[list[PlanePoint], list[tuple[GuidedCurve, PlanePoint]]]:
    """What both panels are drawn around, and what lies too far away."""
    named = [(curve, point) for curve in plane.curves for point in curve.points]
    points = [plane.unguided, *(point for _, point in named)]
    near = near_points(np.array([(point.distance, point.identity) for point in points]))
    beyond = [entry for entry, shown in zip(named, near[1:], strict=True) if not shown]
    return [point for point, shown in zip(points, near, strict=True) if shown], beyond


def _bounds(point: PlanePoint, start: PlanePoint) -> tuple[float, float]:
    """Ends of the interval of its identity; the identity twice where its change was not measured."""
    if point.gain is None:
        return point.identity, point.identity
    return start.identity + point.gain.low, start.identity + point.gain.high


def _look_at(axes: "Axes", places: Sequence[tuple[float, float]]) -> None:
    low, high = np.min(places, axis=0), np.max(places, axis=0)
    room = 0.1 * np.maximum(high - low, 1e-3)
    (left, bottom), (right, top) = low - room, high + room
    axes.set(xlim=(left, right), ylim=(bottom, top))


def _curve(axes: "Axes", curve: GuidedCurve, start: tuple[float, float], at: Sequence[tuple[float, float]]) -> None:
    """Joined from the unguided face on if led to the recovered one; else marks alone."""
    joined = curve.kind.target == RECOVERED
    colour = _colour(curve)
    style: dict[str, Any] = {"color": colour, "label": kind_name(curve.kind), "zorder": 3}
    if joined:
        xs, ys = zip(start, *at, strict=True)
        line = _LINES[(curve.kind.gradient == "full") + 2 * bool(curve.kind.rest)]
        look = look_of(MASKS.index(curve.kind.mask)) if curve.kind.mask in MASKS else look_of(len(MASKS))
        axes.plot(xs, ys, marker=look.marker, markersize=4, markevery=slice(1, None), linewidth=1.0, ls=line, **style)
    else:
        xs, ys = zip(*at, strict=True)
        marker = _TARGET_MARKERS.get(curve.kind.target, "P")
        axes.plot(xs, ys, marker=marker, markersize=7, markerfacecolor="white", linestyle="none", **style)


def _origin(axes: "Axes", x: float, y: float) -> None:
    axes.plot(x, y, marker="o", markersize=6, color=_NONE, linestyle="none", zorder=4, label="no guidance")


def _colour(curve: GuidedCurve) -> str:
    return look_of(MASKS.index(curve.kind.mask) if curve.kind.mask in MASKS else len(MASKS)).colour


def _scales(axes: "Axes", plane: GuidancePlane) -> None:
    """Name the scales; where there is no room close by, one is left out."""
    shown, _ = _view(plane)
    named = [entry for entry in _named(plane) if entry[1] in shown]
    unit = axes.figure.dpi / 72
    texts = [axes.text(0, 0, f"{point.scale:g}", fontsize=6, color=_colour(curve)) for curve, point in named]
    sizes = [(float(extent.width), float(extent.height)) for extent in (text.get_window_extent() for text in texts)]
    anchors = [_pixels(axes, [point]) for _, point in named]
    left, bottom, right, top = map(float, axes.get_window_extent().extents)
    for text, (box, anchor) in zip(
        texts, place_labels(anchors, sizes, _occupied(axes, plane), (left, bottom, right, top), unit), strict=True
    ):
        apart = np.hypot(*(np.clip(anchor, box[:2], box[2:]) - anchor))
        place = axes.transData.inverted().transform(box[:2])
        text.set(position=place, visible=bool(apart < _FARTHEST * unit), va="bottom")


def _named(plane: GuidancePlane) -> Iterator[tuple[GuidedCurve, PlanePoint]]:
    """The last mark of each curve, then the others of what is contested and of other targets: all curves have much the same
    scales. A mask of zeros guides nowhere and stays where guidance is none."""
    curves = [curve for curve in plane.curves if curve.kind.mask != "zeros"]
    yield from ((curve, curve.points[-1]) for curve in curves)
    in_full = [curve for curve in curves if curve.kind.mask in (*LEARNED, ONES)]
    yield from ((curve, point) for curve in in_full for point in reversed(curve.points[:-1]))


def _pixels(axes: "Axes", points: Sequence[PlanePoint]) -> Float[np.ndarray, "n 2"]:
    return np.asarray(axes.transData.transform([(point.distance, point.identity) for point in points]))


def _occupied(axes: "Axes", plane: GuidancePlane) -> Float[np.ndarray, "n 2"]:
    """Pixels along the curves."""
    shares = np.linspace(0, 1, 20)[:, None]
    found = [_pixels(axes, [plane.unguided])]
    for curve in plane.curves:
        corners = _pixels(axes, [plane.unguided, *curve.points])
        joined = curve.kind.target == RECOVERED
        found += [start + shares * (end - start) for start, end in pairwise(corners)] if joined else [corners]
    return np.concatenate(found)
