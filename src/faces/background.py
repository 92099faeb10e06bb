"""What lies behind the person: gradients, walls, lights out of focus, foliage and blurred rooms."""

import math

from src.compiled import inline
from src.faces.factors import Background, Colour
from src.faces.falloff import mix, smooth
from src.faces.lighting import blend, dim
from src.faces.noise import lattice, noise
from src.faces.records import rgb


@inline
def _gradient(u: float, v: float, look: Background) -> Colour:
    glow = smooth(0.95, 0.05, math.hypot(u - 0.5 - 0.35 * look.offset, 0.8 * (v - 0.4)))
    c = blend(rgb(look.second), rgb(look.first), mix(0.35, 1.0, glow))
    return dim(c, 0.62 + 0.5 * glow + 0.04 * noise(u * 3.0, v * 3.0, look.texture))


@inline
def _walls(u: float, v: float, look: Background) -> Colour:
    place = (u - 0.5 - 0.5 * look.offset) * math.cos(look.angle) + (v - 0.5) * math.sin(look.angle)
    c = blend(rgb(look.first), rgb(look.second), smooth(-0.025, 0.025, place))
    rail = smooth(0.03, 0.0, abs(place)) * 0.25
    return dim(c, (0.78 + 0.3 * smooth(1.2, 0.0, v)) * (1.0 - rail))


@inline
def _lights(u: float, v: float, look: Background) -> Colour:
    c = dim(blend(rgb(look.first), rgb(look.second), smooth(0.0, 1.0, v + 0.3 * look.offset)), 0.32)
    for i in range(12):
        x = 0.5 + 0.6 * lattice(i, 1, look.texture)
        y = 0.38 + 0.5 * lattice(i, 2, look.texture)
        r = 0.07 + 0.035 * lattice(i, 3, look.texture)
        d = math.hypot(u - x, v - y)
        if d < r * 1.3:
            warm = 0.5 + 0.5 * lattice(i, 4, look.texture)
            glow = smooth(1.2, 0.75, d / r) * (0.62 + 0.2 * (d / r) ** 2) * (0.22 + 0.3 * warm)
            lamp = blend((1.0, 0.72, 0.38), (0.62, 0.78, 1.0), warm * warm)
            c = c[0] + lamp[0] * glow, c[1] + lamp[1] * glow, c[2] + lamp[2] * glow
    return c


@inline
def _foliage(u: float, v: float, look: Background) -> Colour:
    bend = 0.16 * noise(u * 4.0, v * 4.0, look.texture + 4)
    u, v = u * 0.87 + v * 0.5 + bend, v * 0.87 - u * 0.5 - bend
    n = noise(u * 3.2, v * 3.2, look.texture) + 0.6 * noise(u * 7.0 + 3.0, v * 7.0, look.texture + 1)
    n += 0.4 * noise(u * 13.0, v * 13.0, look.texture + 2)
    c = blend(dim(rgb(look.first), 0.55), rgb(look.second), smooth(-0.8, 0.9, n))
    sky = smooth(0.25, 0.9, noise(u * 4.0 + 9.0, v * 4.0, look.texture + 3) + 0.9 * (0.1 - v) + 0.3 * look.offset)
    return blend(c, rgb(look.third), 0.85 * sky)


@inline
def _room(u: float, v: float, look: Background) -> Colour:
    c = dim(blend(rgb(look.first), rgb(look.second), smooth(-0.2, 1.2, v)), 0.75)
    for i in range(5):
        x = 0.5 + 0.62 * lattice(i, 5, look.texture)
        y = 0.35 + 0.5 * lattice(i, 6, look.texture)
        w = 0.10 + 0.07 * lattice(i, 7, look.texture)
        h = 0.28 + 0.2 * lattice(i, 8, look.texture)
        inside = smooth(w + 0.02, w - 0.02, abs(u - x)) * smooth(h + 0.02, h - 0.02, abs(v - y))
        shade = 0.75 + 0.5 * lattice(i, 9, look.texture)
        c = blend(c, dim(rgb(look.third) if i % 2 else rgb(look.second), shade), 0.75 * inside)
    return c


@inline
def background(u: float, v: float, look: Background) -> Colour:
    """Linear light behind the person at (u, v) in [0, 1], from the picture's upper left corner."""
    if look.kind == 0:
        return _gradient(u, v, look)
    if look.kind == 1:
        return _walls(u, v, look)
    if look.kind == 2:
        return _lights(u, v, look)
    if look.kind == 3:
        return _foliage(u, v, look)
    return _room(u, v, look)
