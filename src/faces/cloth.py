"""Painting of neck and clothes, at rest coordinates (x, y) of the body."""

from src.compiled import inline
from src.faces.factors import Clothes, Colour
from src.faces.falloff import bump, cover, mix, smooth
from src.faces.lighting import blend, dim
from src.faces.noise import noise, resolved
from src.faces.records import rgb


@inline
def garment_distance(x: float, y: float, look: Clothes) -> float:
    """Distance inside the garment's edge, in head units; negative on bare skin."""
    ax = abs(x)
    if look.collar == 3:
        return y - 3.25 - look.neckline - 0.08 * (1.0 - ax)
    side = 3.62 + look.neckline
    if look.collar == 0:
        return y - side - 0.42 * max(1.0 - (ax / 1.35) ** 2, 0.0)
    fall = 1.2 if look.collar == 1 else 1.0
    return (y - side - fall * max(1.25 - ax, 0.0)) * 0.64


@inline
def _pattern(x: float, y: float, look: Clothes, step: float) -> Colour:
    c = rgb(look.colour)
    if look.pattern == 1:
        share = mix(0.25, smooth(0.3, 0.45, abs(y * 3.0 - round(y * 3.0))), resolved(0.33, step))
        return blend(c, rgb(look.accent), 0.8 * share)
    if look.pattern == 2:
        across = smooth(0.25, 0.35, abs(x * 2.2 - round(x * 2.2)))
        along = smooth(0.25, 0.35, abs(y * 2.2 - round(y * 2.2)))
        return blend(c, rgb(look.accent), 0.35 * (across + along))
    if look.pattern == 3:
        ribs = noise(x * 16.0, y * 2.0, 5) * resolved(1 / 16.0, step)
        return dim(c, 1.0 + 0.25 * ribs)
    return c


@inline
def garment(x: float, y: float, inside: float, look: Clothes, seed: int, step: float) -> Colour:
    """Reflectance of the garment `inside` its edge, with collar, folds and pattern."""
    c = _pattern(x, y, look, step)
    folds = noise(x * 1.1 + 0.6 * y, y * 0.8, seed) + 0.5 * noise(x * 2.3 - 1.2 * y, y * 1.7, seed + 1)
    c = dim(c, 1.0 + 0.14 * folds)
    if look.collar == 2:
        # A folded flap along the opening: it casts a line of shade on the shirt.
        flap = 0.42
        c = dim(c, 1.0 + 0.12 * cover(flap - inside, step + 0.03) - 0.5 * bump(inside - flap - 0.04, 0.0, 0.09, 1.0))
        return dim(c, 1.0 - 0.3 * bump(inside, 0.0, 0.05, 1.0))
    hem = 0.2 if look.collar != 3 else 0.0
    seam = bump(inside - hem, 0.0, 0.035 + step, 1.0) * (hem > 0.0)
    return dim(c, 1.0 - 0.22 * seam)


@inline
def edge_shade(inside: float) -> float:
    """Share of the room's light left on the skin beside the garment's edge."""
    return 1.0 - 0.45 * smooth(-0.28, 0.0, inside)
