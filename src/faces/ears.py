"""Ears: a small dished surface at each side of the head."""

import math

import numpy as np

from src.compiled import kernel
from src.faces.falloff import bump, smooth

ROWS = 13
COLUMNS = 21


@kernel
def ear_mesh(side: float, width: float, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertices [rows, columns, 3] of an ear, and the ear's own coordinates [rows, columns, 2] in (-1, 1).

    `side` is -1 for the ear at the image's left; `width` is the head's half width there.
    """
    mesh = np.empty((ROWS, COLUMNS, 3))
    local = np.empty((ROWS, COLUMNS, 2))
    lean, flare = 0.10, 0.62
    for r in range(ROWS):
        rho = (r / (ROWS - 1)) ** 0.8
        for c in range(COLUMNS):
            turn = side * 2.0 * math.pi * c / (COLUMNS - 1)
            p, q = rho * math.cos(turn), rho * math.sin(turn)
            across = 0.36 * size * p * (1.0 - 0.25 * q) + 0.06 * q
            along = 0.66 * size * q
            rim = 0.13 * smooth(0.45, 0.85, rho) * smooth(1.0, 0.9, rho) * smooth(0.9, 0.3, q) * smooth(-1.1, -0.1, p)
            dish = rim + 0.08 * bump(p - 0.3, q + 0.1, 0.35, 0.7) + 0.06 * smooth(1.0, 0.8, rho)
            out = across + 0.18 * size
            mesh[r, c, 0] = side * (width - 0.10 + out * math.sin(flare) + dish * math.cos(flare))
            mesh[r, c, 1] = 0.42 + along - lean * across
            mesh[r, c, 2] = -2.15 - out * math.cos(flare) + dish * math.sin(flare)
            local[r, c, 0], local[r, c, 1] = p, q
    return mesh, local
