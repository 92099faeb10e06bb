"""Painting of the eyebrows."""

from src.compiled import inline
from src.faces.falloff import mix, smooth
from src.faces.features import Features, brow_line
from src.faces.noise import noise, resolved


@inline
def brow_cover(x: float, y: float, f: Features, seed: int, step: float) -> float:
    """How much of the skin at (x, y) the eyebrow hides, in [0, 1]."""
    a = (abs(x) - 0.42) / f.brow_len
    if a < -0.06 or a > 1.02:
        return 0.0
    middle, half = brow_line(min(max(a, 0.0), 1.0), f)
    off = y - middle
    if abs(off) > half * 1.9 + step:
        return 0.0
    # Hairs near the nose stand up; towards the temple they lie along the brow.
    u = a * 26.0 + off * mix(9.0, 26.0, a)
    hairs = noise(u * 1.5, off * 7.0 + a * 3.0, seed + 11) * resolved(0.03, step)
    edge = half * (1.0 + 0.3 * hairs)
    solid = smooth(edge + 0.035 + 0.3 * step, edge - 0.05 - 0.3 * step, abs(off))
    ends = smooth(-0.05, 0.12, a) * smooth(1.02, 0.85, a)
    return solid * ends * (0.74 + 0.24 * hairs)
