"""Draws grids of vertices into a buffer of depths, materials and interpolated attributes."""

import math

import numpy as np
from jaxtyping import Float

from src.compiled import inline, kernel

ATTRIBUTES = 7
DEPTH, MATERIAL, FIRST = 0, 1, 2
"""Channels of the buffer: depth (larger is nearer), material, then the attributes."""
EMPTY = -1e6
_OUTSIDE = -0.5


def empty_buffer(samples: int) -> Float[np.ndarray, "s s 9"]:
    """A buffer that shows nothing."""
    buffer = np.zeros((samples, samples, FIRST + ATTRIBUTES), np.float32)
    buffer[..., DEPTH] = EMPTY
    return buffer


@inline
def _fill(
    p: tuple, q: tuple, r: tuple, a: np.ndarray, b: np.ndarray, c: np.ndarray, kind: float, facing: int, gate: int,
    buffer: np.ndarray,
) -> None:  # fmt: skip
    area = (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])
    if abs(area) < 1e-9 or area * facing < 0.0:
        return
    size = buffer.shape[0]
    x0 = max(math.ceil(min(p[0], q[0], r[0]) - 0.5), 0)
    x1 = min(math.floor(max(p[0], q[0], r[0]) - 0.5), size - 1)
    y0 = max(math.ceil(min(p[1], q[1], r[1]) - 0.5), 0)
    y1 = min(math.floor(max(p[1], q[1], r[1]) - 0.5), size - 1)
    scale = 1.0 / area
    for y in range(y0, y1 + 1):
        for x in range(x0, x1 + 1):
            dx, dy = x + 0.5 - p[0], y + 0.5 - p[1]
            v = (dx * (r[1] - p[1]) - dy * (r[0] - p[0])) * scale
            w = (dy * (q[0] - p[0]) - dx * (q[1] - p[1])) * scale
            u = 1.0 - v - w
            if u < 0.0 or v < 0.0 or w < 0.0:
                continue
            if facing < 0 and gate >= 0 and u * a[gate] + v * b[gate] + w * c[gate] < 0.0:
                continue
            depth = u * p[2] + v * q[2] + w * r[2]
            cell = buffer[y, x]
            if depth > cell[DEPTH]:
                cell[DEPTH] = depth
                cell[MATERIAL] = kind
                for i in range(ATTRIBUTES):
                    cell[FIRST + i] = u * a[i] + v * b[i] + w * c[i]


@inline
def _corner(screen: np.ndarray, r: int, c: int) -> tuple:
    return screen[r, c, 0], screen[r, c, 1], screen[r, c, 2]


@kernel
def rasterise(
    screen: np.ndarray, values: np.ndarray, material: float, facing: int, gate: int, buffer: np.ndarray
) -> None:
    """Draw a grid of vertices `screen` [rows, columns, 3] with attributes `values` [rows, columns, 7].

    `facing`: 1 draws only the side towards the viewer, -1 only the other side, 0 both. If `gate` is not negative, cells
    whose attribute `gate` is far below 0 at all corners are left out; seen from behind, all samples below 0.
    """
    rows, columns, _ = screen.shape
    for r in range(rows - 1):
        for c in range(columns - 1):
            a, b, d, e = values[r, c], values[r, c + 1], values[r + 1, c], values[r + 1, c + 1]
            if gate >= 0 and max(max(a[gate], b[gate]), max(d[gate], e[gate])) < _OUTSIDE:
                continue
            p, q = _corner(screen, r, c), _corner(screen, r, c + 1)
            s, t = _corner(screen, r + 1, c), _corner(screen, r + 1, c + 1)
            _fill(p, q, s, a, b, d, material, facing, gate, buffer)
            _fill(q, t, s, b, e, d, material, facing, gate, buffer)
