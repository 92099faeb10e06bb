"""Value noise that fades out where it is finer than the samples, so that every size shows the same picture."""

import math

from src.compiled import inline
from src.faces.falloff import smooth


@inline
def lattice(i: int, j: int, seed: int) -> float:
    """A number in [-1, 1) that belongs to the lattice point (i, j)."""
    h = (i * 374761393 + j * 668265263 + seed * 974711) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 15)) * 739982445) & 0xFFFFFFFF
    return (h ^ (h >> 16)) / 2147483648.0 - 1.0


@inline
def noise(x: float, y: float, seed: int) -> float:
    """Smooth noise in [-1, 1] with one feature a unit."""
    fx = math.floor(x)
    fy = math.floor(y)
    i = int(fx)
    j = int(fy)
    u = x - fx
    v = y - fy
    u = u * u * (3.0 - 2.0 * u)
    v = v * v * (3.0 - 2.0 * v)
    top = lattice(i, j, seed) * (1.0 - u) + lattice(i + 1, j, seed) * u
    bottom = lattice(i, j + 1, seed) * (1.0 - u) + lattice(i + 1, j + 1, seed) * u
    return top * (1.0 - v) + bottom * v


@inline
def resolved(period: float, step: float) -> float:
    """Share of a pattern that samples at distance `step` can show: 1 for coarse patterns, 0 below Nyquist's limit."""
    return smooth(1.4, 3.0, period / step)
