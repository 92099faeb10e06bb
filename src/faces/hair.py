"""Hair as a shell around the head that hangs down below its widest point, and the painting of its strands."""

import math

import numpy as np

from src.compiled import inline, kernel
from src.faces.factors import HairLook, Light
from src.faces.falloff import bump, clamp, mix, smooth
from src.faces.lighting import hair_light
from src.faces.noise import noise, resolved
from src.faces.surface import SKULL_DEPTH, SKULL_HEIGHT, SKULL_Y, SKULL_Z

DOME_ROWS, HANG_ROWS, COLUMNS = 22, 34, 97

# Azimuth in degrees from the front, and the height where hair ends there.
_EDGE_AT = np.radians(np.array([0.0, 14.0, 28.0, 42.0, 54.0, 64.0, 74.0, 84.0, 100.0, 118.0, 135.0, 180.0]))
_EDGE_Y = np.array([-1.98, -1.97, -1.95, -1.86, -1.45, -0.75, -0.15, 0.12, -0.25, 0.1, 1.7, 1.9])


@inline
def _edge_height(azimuth: float, look: HairLook) -> float:
    a = abs(azimuth)
    k = 0
    while k < _EDGE_AT.shape[0] - 2 and _EDGE_AT[k + 1] < a:
        k += 1
    t = smooth(_EDGE_AT[k], _EDGE_AT[k + 1], a)
    y = mix(_EDGE_Y[k], _EDGE_Y[k + 1], t)
    front = smooth(1.05, 0.6, a)
    y += front * look.hairline - 0.55 * look.recede * bump(a - 0.55, 0.0, 0.5, 1.0)
    y += 1.2 * look.sideburn * bump(a - 1.32, 0.0, 0.22, 1.0)
    if look.fringe > 0.0:
        across = math.sin(azimuth)
        y += smooth(1.25, 0.75, a) * (look.fringe * (1.0 - 0.25 * across * across) + look.skew * across)
    return y


@inline
def coverage(azimuth: float, y: float, look: HairLook) -> float:
    """Distance inside the hair's outline, in head units; negative outside."""
    cap = _edge_height(azimuth, look) - y
    if look.length < -3.0:
        return cap
    a = abs(azimuth - look.part * smooth(-0.6, -2.2, y))
    opening = look.opening * (0.16 + 0.84 * smooth(-2.7, -0.3, y)) - 0.16 * smooth(1.4, 3.2, y)
    hanging = min(look.length - y + 0.12 * math.cos(3.0 * azimuth), (a - opening) * 2.3)
    return max(cap, hanging)


@inline
def _thickness(azimuth: float, y: float, inside: float, look: HairLook) -> float:
    high = smooth(-1.0, -3.1, y)
    thick = mix(look.side, look.top, high)
    if look.length < -3.0:
        thick *= smooth(1.5, -1.0, y)
    lump = noise(azimuth * 1.6 + 7.0, y * 1.2, look.texture) + 0.6 * noise(azimuth * 4.5, y * 2.0, look.texture + 8)
    if look.curl > 0.0:
        lump += look.curl * 0.8 * noise(azimuth * 5.0, y * 2.6, look.texture + 1)
    quiff = 0.35 * look.top * bump(azimuth - look.part, y + 2.7, 1.1, 1.0) * (look.length < -3.0)
    grown = mix(look.edge, 1.0, smooth(0.0, 0.75, inside))
    return (thick * (1.0 + 0.24 * lump) + quiff) * grown + 0.015


@inline
def _strand(azimuth: float, y: float, look: HairLook) -> float:
    # Strands run along lines of constant value; the fan makes them leave the parting sideways.
    spread = mix(1.0, 0.22 + 0.78 * smooth(-3.5, -0.4, y), look.fan)
    strand = (azimuth - look.part * smooth(0.5, -2.0, y)) / spread
    return strand - look.comb * 0.5 * (y + 3.2) * smooth(0.8, -1.5, y)


@kernel
def hair_mesh(width: float, look: HairLook) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices [rows, columns, 3] of the hair, its strand coordinates [rows, columns, 2] and its coverage."""
    rows = DOME_ROWS + HANG_ROWS
    end = max(look.length + 0.3, 2.0)
    mesh = np.empty((rows, COLUMNS, 3))
    strands = np.empty((rows, COLUMNS, 2))
    inside = np.empty((rows, COLUMNS))
    for r in range(rows):
        for c in range(COLUMNS):
            azimuth = 2.0 * math.pi * c / (COLUMNS - 1) - math.pi
            angle = min((r + 0.02) / DOME_ROWS, 1.0) * math.pi / 2.0
            ring = math.sin(angle)
            y = SKULL_Y - SKULL_HEIGHT * math.cos(angle)
            if r > DOME_ROWS:
                y = SKULL_Y + (end - SKULL_Y) * (r - DOME_ROWS) / (HANG_ROWS - 1)
            covered = coverage(azimuth, y, look)
            thick = _thickness(azimuth, y, covered, look)
            hang = clamp((y - 0.2) / 3.0, 0.0, 1.6)
            curve = 1.0 + look.flare * 0.22 * hang - 0.05 * hang
            phase = 2.6 * y + 2.0 * noise(azimuth * 2.0, 0.3 * y, look.texture)
            curve += 0.035 * look.wave * math.sin(phase) * min(hang * 2.0, 1.0)
            mesh[r, c, 0] = (width + thick) * ring * math.sin(azimuth) * curve
            mesh[r, c, 1] = y - thick * math.cos(angle)
            mesh[r, c, 2] = SKULL_Z + (SKULL_DEPTH + thick) * ring * math.cos(azimuth) * curve
            strands[r, c, 0] = _strand(azimuth, y, look)
            strands[r, c, 1] = y
            inside[r, c] = covered
    return mesh, strands, inside


@kernel
def hair_tangents(points: np.ndarray, strands: np.ndarray) -> np.ndarray:
    """Unit directions [rows, columns, 3] along the strands at posed vertices."""
    rows, columns, _ = points.shape
    out = np.empty_like(points)
    for r in range(rows):
        r0, r1 = max(r - 1, 0), min(r + 1, rows - 1)
        for c in range(columns):
            c0, c1 = max(c - 1, 0), min(c + 1, columns - 1)
            across = strands[r, c1, 0] - strands[r, c0, 0]
            along = strands[r1, c, 0] - strands[r0, c, 0]
            size = 1e-9
            for i in range(3):
                step = across * (points[r1, c, i] - points[r0, c, i]) - along * (points[r, c1, i] - points[r, c0, i])
                out[r, c, i] = step
                size += step * step
            for i in range(3):
                out[r, c, i] /= math.sqrt(size)
    return out


@inline
def strand_pattern(s: float, t: float, look: HairLook, step: float) -> tuple[float, float]:
    """Brightness variation in about [-1, 1] of locks and of single strands at strand coordinates (s, t)."""
    waved = s + 0.06 * look.wave * math.sin(2.4 * t + 3.0 * noise(s * 3.0, t * 0.5, look.texture))
    coils = 0.0
    if look.curl > 0.0:
        turns = 2.2 * noise(s * 9.0, t * 3.6, look.texture + 2) + noise(s * 21.0, t * 8.0, look.texture + 3)
        coils = look.curl * math.sin(13.0 * t + 4.0 * turns) * resolved(0.22, step)
        waved += look.curl * 0.05 * turns
    turn = step / 2.5
    stretch = 0.7 + 1.8 * look.curl
    locks = 0.6 * noise(waved * 5.0, t * stretch * 0.6, look.texture + 4) * resolved(0.2, turn)
    locks += 0.5 * noise(waved * 14.0, t * stretch, look.texture + 5) * resolved(1 / 14.0, turn)
    fine = 0.6 * noise(waved * 38.0, t * stretch, look.texture + 6) * resolved(1 / 38.0, turn)
    fine += 0.5 * noise(waved * 95.0, t * 1.4 * stretch, look.texture + 7) * resolved(1 / 95.0, turn)
    return locks * (1.0 - 0.3 * look.curl) + 0.55 * coils, fine


@kernel
def hair_values(
    strands: np.ndarray, inside: np.ndarray, normal: np.ndarray, tangent: np.ndarray, lit: np.ndarray, light: Light
) -> np.ndarray:
    """Vertex attributes [rows, columns, 7]: strand coordinates, coverage, diffuse and glossy light, facing."""
    rows, columns = inside.shape
    values = np.zeros((rows, columns, 7))
    for r in range(rows):
        for c in range(columns):
            n = (normal[r, c, 0], normal[r, c, 1], normal[r, c, 2])
            t = (tangent[r, c, 0], tangent[r, c, 1], tangent[r, c, 2])
            diffuse, shine = hair_light(n, t, lit[r, c], light)
            values[r, c, 0], values[r, c, 1] = strands[r, c, 0], strands[r, c, 1]
            values[r, c, 2] = inside[r, c]
            values[r, c, 3], values[r, c, 4], values[r, c, 5] = diffuse, shine, n[2]
    return values
