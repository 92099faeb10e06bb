"""Soft cast shadows: depths seen from the light, compared at every vertex."""

import math

import numpy as np
from jaxtyping import Float

from src.compiled import kernel
from src.faces.factors import Colour
from src.faces.falloff import smooth

CELLS = 72
_CELL = 0.17
_BIAS = 0.19


def light_axes(direction: Colour) -> Float[np.ndarray, "3 3"]:
    """Rows: two axes across the light and the direction to it."""
    to_light = np.array(direction)
    across = np.cross([0.0, 1.0, 0.0], to_light)
    across /= math.sqrt(float(across @ across))
    return np.stack([across, np.cross(to_light, across), to_light])


@kernel
def cast(points: np.ndarray, keep: np.ndarray, axes: np.ndarray, reach: int, depth: np.ndarray) -> None:
    """Raise `depth` [cells, cells] to the points [rows, columns, 3] where `keep` [rows, columns] is positive."""
    rows, columns, _ = points.shape
    for r in range(rows):
        for c in range(columns):
            if keep[r, c] <= 0.0:
                continue
            p = points[r, c]
            u = int((axes[0, 0] * p[0] + axes[0, 1] * p[1] + axes[0, 2] * p[2]) / _CELL + CELLS / 2)
            v = int((axes[1, 0] * p[0] + axes[1, 1] * p[1] + axes[1, 2] * p[2]) / _CELL + CELLS / 2)
            d = axes[2, 0] * p[0] + axes[2, 1] * p[1] + axes[2, 2] * p[2]
            for j in range(max(v - reach // 2, 0), min(v + (reach + 1) // 2, CELLS)):
                for i in range(max(u - reach // 2, 0), min(u + (reach + 1) // 2, CELLS)):
                    if d > depth[j, i]:
                        depth[j, i] = d


@kernel
def lit_share(points: np.ndarray, axes: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Share of the light [rows, columns] that reaches the points [rows, columns, 3]."""
    rows, columns, _ = points.shape
    out = np.empty((rows, columns))
    for r in range(rows):
        for c in range(columns):
            p = points[r, c]
            u = int((axes[0, 0] * p[0] + axes[0, 1] * p[1] + axes[0, 2] * p[2]) / _CELL + CELLS / 2)
            v = int((axes[1, 0] * p[0] + axes[1, 1] * p[1] + axes[1, 2] * p[2]) / _CELL + CELLS / 2)
            d = axes[2, 0] * p[0] + axes[2, 1] * p[1] + axes[2, 2] * p[2] + _BIAS
            blocked, count = 0.0, 0
            for j in range(max(v - 2, 0), min(v + 3, CELLS)):
                for i in range(max(u - 2, 0), min(u + 3, CELLS)):
                    blocked += smooth(0.0, 0.4, depth[j, i] - d)
                    count += 1
            out[r, c] = 1.0 - blocked / count if count else 1.0
    return out
