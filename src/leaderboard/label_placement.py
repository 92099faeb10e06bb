"""Places the labels of a figure beside what they name, so that they cover neither each other nor the data."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

Points = Float[np.ndarray, "_ 2"]
Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""

_RADII = (4.0, 6.5, 10.0, 16.0, 24.0, 34.0, 46.0, 60.0, 76.0, 94.0)
_ANGLES = np.deg2rad(np.arange(0, 360, 22.5))
_GAP = 1.5
"""Typographic points between a label and what it keeps off: about the radius of a marker."""
_COVERED = 1e3
"""Cost of a point under a label, in points of distance; of another label, ten times that."""


def place_labels(
    anchors: Sequence[Points], sizes: Sequence[tuple[float, float]], obstacles: Points, bounds: Box, unit: float
) -> list[tuple[Box, tuple[float, float]]]:
    """A box and the anchor it belongs to for every label, in the order given; earlier labels choose first.

    Each label takes the nearest place around one of its anchors that is free, or the one that covers least.

    Args:
        anchors: where each label may be attached, pixels.
        sizes: width and height of each label, pixels.
        obstacles: points that should stay visible, pixels.
        bounds: that no label leaves, pixels.
        unit: pixels of a typographic point.
    """
    taken: list[Box] = []
    found = []
    for points, size in zip(anchors, sizes, strict=True):
        options = [option for point in points for option in _around(point, size, unit)]
        inside = [option for option in options if _within(option[0], bounds)] or options
        box, anchor, _ = min(inside, key=lambda option: option[2] + _cover(option[0], taken, obstacles, unit))
        taken.append(box)
        found.append((box, anchor))
    return found


def _around(
    point: Float[np.ndarray, "2"], size: tuple[float, float], unit: float
) -> list[tuple[Box, tuple[float, float], float]]:
    """Boxes around a point with that point and their distance from it in typographic points."""
    anchor = (float(point[0]), float(point[1]))
    return [
        (_box(anchor, angle, radius * unit, size), anchor, radius) for radius in _RADII for angle in _ANGLES.tolist()
    ]


def _box(anchor: tuple[float, float], angle: float, radius: float, size: tuple[float, float]) -> Box:
    """The box whose nearest side or corner lies at `radius` from the anchor into the direction `angle`."""
    along, up = float(np.cos(angle)), float(np.sin(angle))
    left = anchor[0] + radius * along + (along - 1) / 2 * size[0]
    bottom = anchor[1] + radius * up + (up - 1) / 2 * size[1]
    return left, bottom, left + size[0], bottom + size[1]


def _within(box: Box, bounds: Box) -> bool:
    return box[0] >= bounds[0] and box[1] >= bounds[1] and box[2] <= bounds[2] and box[3] <= bounds[3]


def _cover(box: Box, taken: Sequence[Box], obstacles: Points, unit: float) -> float:
    left, bottom, right, top = box
    x, y, gap = obstacles[:, 0], obstacles[:, 1], _GAP * unit
    points = int(((x > left - gap) & (x < right + gap) & (y > bottom - gap) & (y < top + gap)).sum())
    boxes = sum(left < other[2] and other[0] < right and bottom < other[3] and other[1] < top for other in taken)
    return _COVERED * (points + 10 * boxes)
