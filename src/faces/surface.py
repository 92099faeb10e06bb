"""The head as a surface: outline, profile and relief, and the mesh cut from it."""

import math

import numpy as np
from jaxtyping import Float

from src.compiled import inline, kernel
from src.faces.beard import beard_relief
from src.faces.factors import BeardLook
from src.faces.falloff import bump, clamp, mix, smooth
from src.faces.features import Features, lip_lines

SKULL_Y = -0.9
SKULL_Z = -2.4
SKULL_HEIGHT = 2.55
SKULL_DEPTH = 2.65
COLUMNS = 65
DOME_ROWS = 20
FACE_ROWS = 76
_SWEEP = 1.92  # radians to each side: a little behind the ears

# Height, half width, front and depth of the horizontal cuts through the face from the widest point to under the chin.
_CUTS = np.array([
    (-0.90, 1.000, 0.25, 2.65), (-0.25, 0.985, 0.12, 2.60), (0.45, 0.960, 0.12, 2.45), (1.10, 0.905, 0.20, 2.25),
    (1.70, 0.850, 0.26, 2.05), (2.25, 0.765, 0.27, 1.85), (2.75, 0.640, 0.24, 1.55), (3.10, 0.490, 0.18, 1.20),
    (3.33, 0.290, 0.02, 0.80), (3.41, 0.130, -0.16, 0.45), (3.43, 0.010, -0.36, 0.10),
])  # fmt: skip


def face_cuts(f: Features) -> Float[np.ndarray, "n 4"]:
    """The horizontal cuts (height, half width, front, depth) of this face from the skull's middle to the chin."""
    cuts = _CUTS.copy()
    y = _CUTS[:, 0]
    below = np.clip(y / 3.4, 0.0, 1.0)
    cuts[:, 0] = np.where(y > 0.0, y * f.lower, y) + f.jaw_drop * 0.8 * np.clip((y - 1.7) / 1.5, 0.0, 1.0)
    jaw = np.clip((y - 0.4) / 1.6, 0.0, 1.0) * np.clip((3.6 - y) / 1.0, 0.0, 1.0)
    chin = np.clip((y - 2.3) / 0.9, 0.0, 1.0)
    size = (1.0 + (f.jaw - 1.0) * jaw) * (1.0 + (f.chin - 1.0) * chin * 0.6)
    round_ = 1.0 + 0.06 * f.cheek * np.exp(-(((y - 2.0) / 0.9) ** 2))
    cuts[:, 1] = _CUTS[:, 1] * f.width * size * round_
    cuts[:, 2] += 0.05 * (f.chin - 1.0) * below
    return cuts


@inline
def _nose(ax: float, y: float, f: Features) -> float:
    length = f.nose_tip - f.nose_top
    t = clamp((y - f.nose_top) / length, 0.0, 1.0)
    height = mix(f.bridge, f.projection, t**1.25)
    half = mix(0.44, 0.54 * f.nose_w, t)
    base = f.nose_base + 0.05 - 0.5 * ax * ax
    fade = smooth(base, base - 0.36, y) * smooth(f.nose_top - 0.4, f.nose_top + 0.25, y)
    u = min(ax / half, 1.0)
    ridge = (1.0 - u * u) ** 2 * (1.0 - 0.35 * u) * height * fade
    tip = bump(ax, y - f.nose_tip - 0.01, 0.46 * f.nose_w, 0.37) * (f.roundness + 0.16)
    wing = bump(ax - 0.38 * f.nose_w, y - f.nose_tip - 0.10, 0.29, 0.28) * 0.27
    return ridge + tip + wing


@inline
def _eye_region(ax: float, y: float, f: Features) -> float:
    dx = ax - f.eye_x
    socket = -0.27 * f.eye_depth * bump(dx + 0.08, y + 0.1, 0.86, 0.56)
    inner = -0.12 * f.eye_depth * bump(ax - 0.5, y + 0.1, 0.3, 0.42)
    ball = 0.21 * bump(dx, y, 0.66, 0.5)
    ridge = 0.14 * f.brow_ridge * bump(ax - 0.85, y + 0.66, 1.1, 0.42)
    glabella = 0.06 * f.brow_ridge * bump(ax, y + 0.5, 0.5, 0.45)
    bag = 0.03 * bump(dx, y - 0.42, 0.5, 0.22)
    return socket + inner + ball + ridge + glabella + bag


@inline
def _cheeks(ax: float, y: float, f: Features) -> float:
    bone = 0.13 * f.cheekbone * bump(ax - 1.42, y - 0.72, 0.85, 0.7)
    lift = f.smile * (0.17 * bump(ax - 1.22, y - 1.05, 0.62, 0.55))
    flesh = (0.12 * f.cheek - 0.03) * bump(ax - 1.35, y - 1.85 * f.lower, 0.7, 0.9)
    temple = -0.08 * bump(ax - 2.0, y + 0.9, 0.7, 0.9)
    return bone + lift + flesh + temple


@inline
def _mouth_region(ax: float, y: float, f: Features) -> float:
    muzzle = 0.15 * bump(ax, y - f.mouth_y, 1.25, 0.85)
    philtrum = -0.05 * bump(ax, y - f.nose_base - 0.22, 0.17, 0.3)
    under = -0.12 * bump(ax, y - f.mouth_y - f.gap_low - f.lip_low - 0.2, 0.75, 0.26)
    chin = 0.2 * f.chin * bump(ax, y - f.chin_y + 0.36, 0.75, 0.5)
    m = ax / f.mouth_w
    if m >= 1.1:
        return muzzle + philtrum + under + chin
    _, inner_up, inner_low, _ = lip_lines(min(m, 0.999), f)
    rest = max(1.0 - m * m, 0.0)
    upper = 0.11 * rest * bump(0.0, y - inner_up + 0.4 * f.lip_up, 1.0, 0.19)
    lower = 0.15 * rest * bump(0.0, y - inner_low - 0.45 * f.lip_low, 1.0, 0.25)
    line = -0.09 * bump(0.0, y - 0.5 * (inner_up + inner_low), 1.0, 0.1 + 0.5 * (inner_low - inner_up))
    return muzzle + philtrum + under + chin + upper + lower + line


@inline
def _folds(ax: float, y: float, f: Features) -> float:
    # The nasolabial fold runs from the nose's wing past the mouth's corner; cheeks hang over it.
    t = clamp((y - f.nose_tip) / (f.corner_y - f.nose_tip + 0.15), 0.0, 1.0)
    line = 0.5 * f.nose_w + (f.mouth_w + 0.12 - 0.5 * f.nose_w) * t
    strength = (0.025 + 0.07 * f.smile) * smooth(0.0, 0.2, t) * smooth(1.0, 0.75, t)
    return -strength * bump(ax - line, 0.0, 0.2, 1.0) + strength * bump(ax - line - 0.28, 0.0, 0.34, 1.0)


@inline
def relief(x: float, y: float, f: Features) -> float:
    """Height of the face above the plain egg at (x, y)."""
    if y < -1.6:
        return 0.0
    ax = abs(x)
    height = _eye_region(ax, y, f) + _cheeks(ax, y, f)
    if y > -0.9 and ax < 1.0:
        height += _nose(ax, y, f)
    if y > 1.0:
        height += _mouth_region(ax, y, f) + _folds(ax, y, f)
    return height


@inline
def _spline(a: float, b: float, c: float, d: float, t: float) -> float:
    return b + 0.5 * t * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)))


@inline
def _cut(row: int, cuts: np.ndarray, width: float) -> tuple[float, float, float, float]:
    if row < DOME_ROWS:
        angle = (row + 0.02) / DOME_ROWS * math.pi / 2.0
        ring = math.sin(angle)
        y = SKULL_Y - SKULL_HEIGHT * math.cos(angle)
        return y, width * ring, SKULL_Z + SKULL_DEPTH * ring, SKULL_DEPTH * ring
    last = cuts.shape[0] - 1
    position = min((row - DOME_ROWS) / (FACE_ROWS - 1) * last, last - 1e-9)
    k = int(position)
    t = position - k
    before, after = max(k - 1, 0), min(k + 2, last)
    y = _spline(cuts[before, 0], cuts[k, 0], cuts[k + 1, 0], cuts[after, 0], t)
    w = _spline(cuts[before, 1], cuts[k, 1], cuts[k + 1, 1], cuts[after, 1], t)
    z = _spline(cuts[before, 2], cuts[k, 2], cuts[k + 1, 2], cuts[after, 2], t)
    return y, w, z, _spline(cuts[before, 3], cuts[k, 3], cuts[k + 1, 3], cuts[after, 3], t)


@kernel
def head_mesh(cuts: np.ndarray, f: Features, beard: BeardLook) -> np.ndarray:
    """Vertices [rows, columns, 3] of the head from the crown to the chin, from image left to image right."""
    rows = DOME_ROWS + FACE_ROWS
    mesh = np.empty((rows, COLUMNS, 3))
    for row in range(rows):
        y, w, front, depth = _cut(row, cuts, f.width)
        for column in range(COLUMNS):
            q = 2.0 * column / (COLUMNS - 1) - 1.0
            angle = _SWEEP * (0.6 * q + 0.4 * q * q * q)
            x = w * math.sin(angle)
            facing = max(math.cos(angle), 0.0)
            beyond = beard_relief(x, y, f, beard)
            mesh[row, column, 0] = x * (1.0 + 0.4 * beyond)
            mesh[row, column, 1] = y + beyond * smooth(2.6, 3.4, y)
            mesh[row, column, 2] = front - depth * (1.0 - math.cos(angle)) + relief(x, y, f) * facing**0.5 + beyond
    return mesh


@kernel
def normals(mesh: np.ndarray) -> np.ndarray:
    """Unit normals [rows, columns, 3] of a grid of vertices; they point to the viewer where rows run down."""
    rows, columns, _ = mesh.shape
    out = np.empty_like(mesh)
    for r in range(rows):
        r0, r1 = max(r - 1, 0), min(r + 1, rows - 1)
        for c in range(columns):
            c0, c1 = max(c - 1, 0), min(c + 1, columns - 1)
            ax, ay, az = (
                mesh[r, c1, 0] - mesh[r, c0, 0],
                mesh[r, c1, 1] - mesh[r, c0, 1],
                mesh[r, c1, 2] - mesh[r, c0, 2],
            )
            bx, by, bz = (
                mesh[r1, c, 0] - mesh[r0, c, 0],
                mesh[r1, c, 1] - mesh[r0, c, 1],
                mesh[r1, c, 2] - mesh[r0, c, 2],
            )
            nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
            size = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-12
            out[r, c, 0], out[r, c, 1], out[r, c, 2] = nx / size, ny / size, nz / size
    return out
