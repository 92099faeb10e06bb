"""Neck and shoulders."""

import math

import numpy as np

from src.compiled import kernel
from src.faces.falloff import clamp, mix, smooth

NECK_ROWS, NECK_COLUMNS = 20, 33
TORSO_ROWS, TORSO_COLUMNS = 18, 49
_NECK_TOP, _NECK_END = 1.6, 5.2


@kernel
def neck_mesh(size: float) -> np.ndarray:
    """Vertices [rows, columns, 3] of the front of the neck, from inside the head to inside the chest."""
    mesh = np.empty((NECK_ROWS, NECK_COLUMNS, 3))
    for r in range(NECK_ROWS):
        t = r / (NECK_ROWS - 1)
        y = mix(_NECK_TOP, _NECK_END, t)
        radius = size * (1.32 + 0.55 * smooth(3.7, 5.4, y))
        for c in range(NECK_COLUMNS):
            angle = 1.75 * (2.0 * c / (NECK_COLUMNS - 1) - 1.0)
            # The sternocleidomastoid muscles and the larynx give the front its relief.
            cord = 0.09 * math.exp(-(((abs(angle) - mix(0.85, 0.25, clamp((y - 2.8) / 1.7, 0.0, 1.0))) / 0.2) ** 2))
            throat = 0.07 * math.exp(-((angle / 0.22) ** 2) - ((y - 3.95) / 0.25) ** 2)
            mesh[r, c, 0] = radius * math.sin(angle)
            mesh[r, c, 1] = y
            mesh[r, c, 2] = -2.35 + 0.10 * t + (radius * 0.98 + cord + throat) * math.cos(angle)
    return mesh


@kernel
def bend(points: np.ndarray, with_head: np.ndarray, with_body: np.ndarray) -> np.ndarray:
    """The neck [rows, columns, 3] between its head-end and body-end positions, by the height of `points`."""
    out = np.empty_like(points)
    for r in range(points.shape[0]):
        weight = smooth(2.2, 4.4, points[r, 0, 1])
        for c in range(points.shape[1]):
            for i in range(3):
                out[r, c, i] = mix(with_head[r, c, i], with_body[r, c, i], weight)
    return out


@kernel
def torso_mesh(size: float) -> np.ndarray:
    """Vertices [rows, columns, 3] of shoulders and chest as far as a picture may show them."""
    mesh = np.empty((TORSO_ROWS, TORSO_COLUMNS, 3))
    for r in range(TORSO_ROWS):
        t = r / (TORSO_ROWS - 1)
        for c in range(TORSO_COLUMNS):
            q = 2.0 * c / (TORSO_COLUMNS - 1) - 1.0
            x = 7.0 * (0.7 * q + 0.3 * q * q * q)
            ax = abs(x)
            slope = 0.26 * max(ax - 1.1 * size, 0.0) + 0.03 * ax * ax
            rise = 0.45 * math.exp(-(((ax - 1.2 * size) / 0.55) ** 2))
            dip = 0.35 * smooth(1.3 * size, 0.0, ax)
            mesh[r, c, 0] = x
            mesh[r, c, 1] = 3.88 - rise + slope + dip + 4.5 * t * t + 0.25 * t
            mesh[r, c, 2] = (
                -2.7 - 0.02 * ax * ax + (1.75 + 0.2 * smooth(1.6, 0.0, ax)) * math.sin(min(t * 2.6, 1.0) * 1.5708)
            )
    return mesh
