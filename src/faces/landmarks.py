"""The 68 iBUG points and the 5 alignment points, taken from the curves that the picture is drawn with."""

from typing import Any

import numpy as np
from jaxtyping import Float

from src.compiled import kernel
from src.faces.features import Features, brow_line, lid_lines, lip_lines
from src.faces.surface import COLUMNS

_JAW = (0.0, 0.15, 0.30, 0.45, 0.60, 0.74, 0.87, 0.96)


@kernel
def on_surface(mesh: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points [n, 3] of the head's front at the given x, y [n, 2]."""
    out = np.empty((points.shape[0], 3))
    middle = COLUMNS // 2
    for i in range(points.shape[0]):
        x, y = points[i, 0], points[i, 1]
        r = 0
        while r < mesh.shape[0] - 2 and mesh[r + 1, middle, 1] < y:
            r += 1
        t = min(max((y - mesh[r, middle, 1]) / (mesh[r + 1, middle, 1] - mesh[r, middle, 1]), 0.0), 1.0)
        c = 8
        while c < COLUMNS - 10 and mesh[r, c + 1, 0] * (1.0 - t) + mesh[r + 1, c + 1, 0] * t < x:
            c += 1
        left = mesh[r, c] * (1.0 - t) + mesh[r + 1, c] * t
        right = mesh[r, c + 1] * (1.0 - t) + mesh[r + 1, c + 1] * t
        s = min(max((x - left[0]) / (right[0] - left[0] + 1e-9), 0.0), 1.0)
        out[i, 0], out[i, 1], out[i, 2] = x, y, left[2] * (1.0 - s) + right[2] * s
    return out


@kernel
def _eye(f: Features, side: float) -> np.ndarray:
    out = np.empty((6, 2))
    # From the image's left to its right along the upper lid, then back along the lower one.
    stops = (-1.0, -0.38, 0.38, 1.0, 0.38, -0.38)
    for i in range(6):
        upper, lower = lid_lines(stops[i] * side, f)
        out[i, 0] = side * f.eye_x + stops[i] * f.eye_w
        out[i, 1] = upper if i < 4 else lower
    return out


@kernel
def _brows(f: Features) -> np.ndarray:
    out = np.empty((10, 2))
    for i in range(10):
        side = -1.0 if i < 5 else 1.0
        a = (4 - i) / 4.0 if i < 5 else (i - 5) / 4.0
        out[i, 0] = side * (0.42 + f.brow_len * a)
        out[i, 1] = brow_line(a, f)[0]
    return out


@kernel
def _mouth(f: Features) -> np.ndarray:
    out = np.empty((20, 2))
    outer = (-1.0, -0.65, -0.27, 0.0, 0.27, 0.65, 1.0, 0.65, 0.27, 0.0, -0.27, -0.65)
    inner = (-0.86, -0.32, 0.0, 0.32, 0.86, 0.32, 0.0, -0.32)
    for i in range(12):
        lines = lip_lines(outer[i], f)
        out[i, 0], out[i, 1] = outer[i] * f.mouth_w, lines[0] if i < 7 else lines[3]
    for i in range(8):
        lines = lip_lines(inner[i], f)
        out[12 + i, 0], out[12 + i, 1] = inner[i] * f.mouth_w, lines[1] if i < 5 else lines[2]
    return out


@kernel
def _nose(f: Features) -> np.ndarray:
    out = np.empty((9, 2))
    top = f.nose_top + 0.15
    stops, drops = (0.0, 0.35, 0.7, 1.0), (0.1, 0.03, 0.0, 0.03, 0.1)
    for i in range(4):
        out[i, 0], out[i, 1] = 0.0, top + (f.nose_tip - top) * stops[i]
    for i in range(5):
        out[4 + i, 0], out[4 + i, 1] = (i - 2) * 0.25 * f.nose_w, f.nose_base - 0.02 - drops[i]
    return out


def frontal_points(f: Any) -> Float[np.ndarray, "51 2"]:
    """Points 17 to 67 of the iBUG scheme on the unposed face; `f` is a record of `Features`."""
    return np.concatenate([_brows(f), _nose(f), _eye(f, -1.0), _eye(f, 1.0), _mouth(f)])


@kernel
def jaw_points(mesh: np.ndarray, screen: np.ndarray, chin_y: float) -> np.ndarray:
    """Points 0 to 16: the visible outline of the face, in samples."""
    out = np.empty((17, 2))
    middle = COLUMNS // 2
    for i in range(17):
        share = _JAW[min(i, 16 - i)] if i != 8 else 1.0
        y = 0.05 + (chin_y - 0.12) * share
        r = 0
        while r < mesh.shape[0] - 2 and mesh[r + 1, middle, 1] < y:
            r += 1
        best = middle
        for c in range(COLUMNS):
            if i != 8 and (screen[r, c, 0] < screen[r, best, 0]) == (i < 8):
                best = c
        out[i, 0], out[i, 1] = screen[r, best, 0], screen[r, best, 1]
    return out


def five_points(points68: Float[np.ndarray, "68 2"]) -> Float[np.ndarray, "5 2"]:
    """Left eye, right eye, nose tip, left and right mouth corner, in image order (conventions of FFHQ alignment)."""
    return np.stack([points68[36:42].mean(0), points68[42:48].mean(0), points68[30], points68[48], points68[54]])
