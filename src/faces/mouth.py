"""Painting of the lips and of the open mouth."""

from src.compiled import inline
from src.faces.factors import Colour, SkinLook
from src.faces.falloff import bump, clamp, cover, mix, smooth
from src.faces.features import Features, lip_lines
from src.faces.lighting import blend, dim, times
from src.faces.noise import noise, resolved
from src.faces.records import rgb


@inline
def lip_cover(x: float, y: float, f: Features, step: float) -> tuple[float, float, float]:
    """How much of the sample is lip and how much open mouth, and the place from the upper (-1) to the lower lip (1)."""
    m = x / f.mouth_w
    if abs(m) >= 1.0:
        return 0.0, 0.0, 0.0
    top, inner_up, inner_low, bottom = lip_lines(m, f)
    outer = cover(min(y - top, bottom - y), step + 0.03)
    gap = cover(min(y - inner_up, inner_low - y), step + 0.008) if inner_low - inner_up > 0.012 else 0.0
    middle = 0.5 * (inner_up + inner_low)
    place = (y - middle) / (middle - top + 1e-6) if y < middle else (y - middle) / (bottom - middle + 1e-6)
    return outer, gap, clamp(place, -1.0, 1.0)


@inline
def lip_albedo(x: float, y: float, place: float, look: SkinLook, step: float) -> Colour:
    """Reflectance of the lips: darker above, with fine vertical creases."""
    creases = noise(x * 24.0, y * 2.5, look.texture + 12) * resolved(1 / 24.0, step)
    tone = mix(0.80, 1.06, smooth(-0.25, 0.25, place)) * (1.0 + 0.11 * creases)
    return dim(rgb(look.lip), tone)


@inline
def mouth_line(x: float, y: float, f: Features, step: float) -> float:
    """Darkness of the line between closed lips and of the mouth's corners, in [0, 1]."""
    m = x / f.mouth_w
    if abs(m) > 1.12:
        return 0.0
    lines = lip_lines(clamp(m, -0.99, 0.99), f)
    middle = 0.5 * (lines[1] + lines[2])
    half = 0.5 * (lines[2] - lines[1])
    off = max(abs(y - middle) - half, 0.0)
    width = 0.026 + 0.5 * step
    line = smooth(width + 0.02, 0.2 * width, off) * smooth(1.12, 0.92, abs(m)) * min(1.0, 0.045 / step)
    return 0.72 * line


@inline
def inside_mouth(x: float, y: float, f: Features, lit: Colour) -> Colour:
    """Teeth, tongue and darkness behind the lips."""
    m = x / f.mouth_w
    lines = lip_lines(clamp(m, -0.99, 0.99), f)
    depth, opening = y - lines[1], lines[2] - lines[1]
    dark = blend((0.035, 0.010, 0.010), (0.30, 0.10, 0.10), 0.8 * smooth(0.5, 1.0, depth / max(opening, 1e-6)))
    # A row of teeth on an arch: they narrow and darken towards the corners.
    reach = 0.24 - 0.09 * m * m
    column = x / (0.155 - 0.05 * abs(m))
    split = bump(column - round(column), 0.0, 0.13, 1.0)
    edge = smooth(0.02, -0.02, depth - reach + 0.025 * split)
    tone = (1.0 - 0.6 * m * m) * mix(0.72, 1.0, smooth(0.0, 0.09, depth)) * (1.0 - 0.22 * split)
    teeth = dim((0.74, 0.69, 0.60), tone)
    lower = smooth(opening - 0.07, opening - 0.03, depth) * smooth(0.3, 0.45, opening) * smooth(0.8, 0.5, abs(m))
    c = blend(dark, dim(teeth, 0.6), 0.5 * lower)
    return times(blend(c, teeth, edge * smooth(1.0, 0.82, abs(m)) * smooth(0.03, 0.10, opening)), lit)
