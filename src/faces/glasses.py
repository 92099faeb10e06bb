"""Glasses: a bent sheet in front of the eyes on which frame and lenses are painted."""

import numpy as np

from src.compiled import inline, kernel
from src.faces.factors import GlassesLook
from src.faces.falloff import cover, mix

ROWS, COLUMNS = 9, 49
_FRONT = 1.95
_MIDDLE_Y = 0.07


@kernel
def glasses_mesh(width: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertices [rows, columns, 3] of the sheet with its arms, and its unrolled coordinates [rows, columns, 2]."""
    mesh = np.empty((ROWS, COLUMNS, 3))
    unrolled = np.empty((ROWS, COLUMNS, 2))
    for r in range(ROWS):
        y = mix(-0.85, 0.95, r / (ROWS - 1))
        for c in range(COLUMNS):
            u = 4.3 * (2.0 * c / (COLUMNS - 1) - 1.0)
            side = 1.0 if u > 0.0 else -1.0
            back = max(abs(u) - _FRONT, 0.0)
            front = min(abs(u), _FRONT)
            mesh[r, c, 0] = side * (front + (width - _FRONT + 0.06) * min(back / 1.2, 1.0))
            mesh[r, c, 1] = y + 0.06 * back * 0.3
            mesh[r, c, 2] = 0.52 - 0.075 * front * front - back
            unrolled[r, c, 0], unrolled[r, c, 1] = u, y
    return mesh, unrolled


@inline
def lens_distance(x: float, y: float, look: GlassesLook) -> float:
    """Distance inside the rim of a lens, in head units; negative outside."""
    u = abs(abs(x) - 0.99) / look.width
    v = abs(y - _MIDDLE_Y) / look.height
    if u + v < 1e-6:
        return look.height
    reach = (u**look.power + v**look.power) ** (1.0 / look.power)
    return (1.0 - reach) * 0.5 * (look.width + look.height)


@inline
def frame_cover(x: float, y: float, look: GlassesLook, arms: float, step: float) -> float:
    """How much of a sample of the sheet is frame, in [0, 1]; the arms are visible up to `arms` from the middle."""
    half = look.thickness * (1.0 + 0.5 * (y < _MIDDLE_Y - 0.3))
    thin = min(1.0, 2.0 * half / step)
    ax = abs(x)
    c = 0.0
    if ax < 2.1:
        c = cover(half - abs(lens_distance(x, y, look) + half), step + 0.01)
        if ax < 0.45:
            arch = _MIDDLE_Y - 0.13 - 0.1 * (1.0 - (ax / 0.3) ** 2)
            inside = cover(-lens_distance(x, y, look), step)
            c = max(c, cover(1.1 * half - abs(y - arch), step + 0.01) * inside)
    if ax > 0.97 + look.width:
        c = max(c, cover(1.5 * half - abs(y + 0.12 - 0.02 * ax), step + 0.01) * cover(arms - ax, step))
    return c * thin


@inline
def lens_cover(x: float, y: float, look: GlassesLook, step: float) -> float:
    """How much of a sample of the sheet is glass, in [0, 1]."""
    return cover(lens_distance(x, y, look), step) if abs(x) < 2.1 else 0.0
