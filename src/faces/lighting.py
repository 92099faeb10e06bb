"""What light a surface sends to the camera: wrapped diffuse light for skin, gloss, and strands of hair."""

import math

from src.compiled import inline
from src.faces.factors import Colour, Light
from src.faces.falloff import clamp, mix, smooth
from src.faces.records import rgb

Vector = tuple[float, float, float]


@inline
def dot(a: Vector, b: Vector) -> float:
    """Scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@inline
def unit(x: float, y: float, z: float) -> Vector:
    """The vector at length 1."""
    scale = 1.0 / math.sqrt(x * x + y * y + z * z + 1e-12)
    return x * scale, y * scale, z * scale


@inline
def blend(a: Colour, b: Colour, weight: float) -> Colour:
    """`a` at weight 0, `b` at weight 1."""
    rest = 1.0 - weight
    return a[0] * rest + b[0] * weight, a[1] * rest + b[1] * weight, a[2] * rest + b[2] * weight


@inline
def dim(a: Colour, factor: float) -> Colour:
    """A colour at another brightness."""
    return a[0] * factor, a[1] * factor, a[2] * factor


@inline
def times(a: Colour, b: Colour) -> Colour:
    """Product of two colours."""
    return a[0] * b[0], a[1] * b[1], a[2] * b[2]


@inline
def _wrap(cosine: float, width: float) -> float:
    return max((cosine + width) / (1.0 + width), 0.0)


@inline
def irradiance(n: Vector, lit: float, open_: float, scatter: float, light: Light) -> Colour:
    """Light that reaches a point with normal `n`.

    `lit`: share of the key light; `open_`: share of the room that the point sees; `scatter`: how far red light wraps
    around the terminator, as it does in skin.
    """
    cosine = dot(n, rgb(light.key_direction))
    share = mix(1.0, lit, light.shadow) * mix(1.0, open_, 0.5)
    fill = max(0.5 + 0.5 * dot(n, rgb(light.fill_direction)), 0.0) ** 2 * open_
    up = clamp(0.5 - 0.5 * n[1], 0.0, 1.0)
    red = light.key[0] * _wrap(cosine, 0.08 + 0.26 * scatter) * mix(share, 1.0, 0.10 * scatter)
    green = light.key[1] * _wrap(cosine, 0.08 + 0.14 * scatter) * share
    blue = light.key[2] * _wrap(cosine, 0.08 + 0.08 * scatter) * share
    return (
        red + light.fill[0] * fill + mix(light.below[0], light.above[0], up) * open_,
        green + light.fill[1] * fill + mix(light.below[1], light.above[1], up) * open_,
        blue + light.fill[2] * fill + mix(light.below[2], light.above[2], up) * open_,
    )


@inline
def gloss(n: Vector, lit: float, sharp: float, light: Light) -> float:
    """Mirror-like light of the key lamp: a broad lobe and, weighted by `sharp`, a narrow one."""
    key = rgb(light.key_direction)
    half = unit(key[0], key[1], key[2] + 1.0)
    c = max(dot(n, half), 0.0)
    c2 = c * c
    c8 = c2 * c2 * c2 * c2
    broad = c8 * c8
    narrow = broad * broad * broad
    rim = (1.0 - clamp(n[2], 0.0, 1.0)) ** 4
    return (0.5 * broad + sharp * narrow) * mix(1.0, lit, light.shadow) * light.key[1] + 0.22 * rim * light.above[1]


@inline
def hair_light(n: Vector, tangent: Vector, lit: float, light: Light) -> tuple[float, float]:
    """Diffuse and glossy light of a strand (Kajiya and Kay 1989) with the shell's normal `n`."""
    key = rgb(light.key_direction)
    across = math.sqrt(max(1.0 - dot(tangent, key) ** 2, 0.0))
    share = mix(1.0, lit, light.shadow)
    diffuse = light.key[1] * share * _wrap(dot(n, key), 0.25) * (0.45 + 0.55 * across)
    diffuse += light.fill[1] * max(0.5 + 0.5 * dot(n, rgb(light.fill_direction)), 0.0) ** 2
    diffuse += mix(light.below[1], light.above[1], clamp(0.5 - 0.5 * n[1], 0.0, 1.0)) * 1.1
    half = unit(key[0], key[1], key[2] + 1.0)
    shine = max(1.0 - dot(tangent, half) ** 2, 0.0)
    shine = shine**24 * smooth(-0.1, 0.5, dot(n, key)) * share * light.key[1]
    return diffuse, shine
