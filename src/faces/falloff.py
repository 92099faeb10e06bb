"""Smooth steps and bumps from which shapes, masks and relief are made."""

from src.compiled import inline


@inline
def clamp(value: float, low: float, high: float) -> float:
    """`value` limited to [low, high]."""
    return min(max(value, low), high)


@inline
def mix(a: float, b: float, weight: float) -> float:
    """`a` at weight 0, `b` at weight 1."""
    return a + (b - a) * weight


@inline
def smooth(low: float, high: float, value: float) -> float:
    """Cubic step from 0 at `low` to 1 at `high`; `low` may exceed `high`."""
    t = min(max((value - low) / (high - low), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@inline
def bump(dx: float, dy: float, radius_x: float, radius_y: float) -> float:
    """A hill of height 1 at the origin that is 0 outside the ellipse: (1 - r^2)^2."""
    u = dx / radius_x
    v = dy / radius_y
    rest = 1.0 - u * u - v * v
    return rest * rest if rest > 0.0 else 0.0


@inline
def cover(distance: float, width: float) -> float:
    """Share of a sample of the given width that lies inside a shape; `distance` is positive inside."""
    return min(max(distance / width + 0.5, 0.0), 1.0)


@inline
def stroke(distance: float, half: float, width: float) -> float:
    """Share of a sample covered by a line of half-thickness `half` at the given signed distance."""
    return cover(half - abs(distance), width) * min(1.0, 2.0 * half / width)
