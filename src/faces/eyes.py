"""Painting of the eyes: eyeball, iris, pupil, catch-lights, lids and lashes."""

import math

from src.compiled import inline
from src.faces.factors import Colour, Expression, EyeLook, Light, SkinLook
from src.faces.falloff import bump, clamp, cover, mix, smooth
from src.faces.features import Features, lid_lines
from src.faces.lighting import blend, dim, irradiance, times, unit
from src.faces.noise import noise, resolved
from src.faces.records import rgb


@inline
def _iris(dx: float, dy: float, r: float, look: EyeLook, seed: int, step: float) -> Colour:
    angle = math.atan2(dy, dx)
    fine = resolved(0.05, step)
    fibres = noise(angle * 9.0 + 40.0, r * 1.6, seed) + 0.7 * noise(angle * 19.0 + 90.0, r * 2.0, seed + 1)
    c = blend(rgb(look.inner), rgb(look.iris), smooth(0.35, 0.8, r + 0.08 * fibres * fine))
    c = dim(c, 1.0 + 0.32 * fibres * fine + 0.28 * smooth(-0.4, 0.9, dy / look.radius))
    ring = smooth(0.74, 1.0, r)
    return dim(c, 1.0 - 0.78 * ring)


@inline
def _catch_light(dx: float, dy: float, light: Light, step: float) -> float:
    key = light.key_direction
    size = 0.052
    first = cover(size - math.hypot(dx - 0.13 * key[0], dy - 0.17 * key[1] - 0.01), step + 0.02)
    second = 0.2 * cover(0.04 - math.hypot(dx + 0.10, dy - 0.07), step + 0.04)
    return min(first + second, 1.0)


@inline
def eyeball(
    x: float, y: float, a: float, top: float, lit: float, f: Features, e: Expression, look: EyeLook, light: Light,
    step: float, seed: int,
) -> Colour:  # fmt: skip
    """Colour of what shows between the lids; `a` in (-1, 1) from the nose outwards, `top` below the upper lid."""
    side = 1.0 if x > 0.0 else -1.0
    bx, by = abs(x) - f.eye_x, y + f.eye_tilt * a
    n = unit(side * bx * 1.1, by * 1.2, 0.75)
    corner = abs(a) ** 3
    white = (0.63 - 0.05 * corner, 0.60 - 0.18 * corner, 0.58 - 0.18 * corner)
    caruncle = smooth(-0.76, -0.95, a)
    white = blend(white, (0.55, 0.26, 0.23), 0.8 * caruncle)
    dx, dy = x - side * f.eye_x - e.gaze_x, y - e.gaze_y + 0.012
    r = math.hypot(dx, dy) / look.radius
    edge = cover((1.0 - r) * look.radius, step + 0.025)
    c = white if edge <= 0.0 else blend(white, _iris(dx, dy, r, look, seed, step), edge)
    c = blend(c, (0.006, 0.005, 0.005), cover((0.43 - r) * look.radius, step + 0.015))
    under_lid = mix(0.4, 1.0, smooth(0.0, 0.17, top))
    c = dim(times(c, irradiance(n, mix(0.6, 1.0, lit), 0.85, 0.3, light)), under_lid)
    spark = _catch_light(dx, dy, light, step) * smooth(0.0, 0.05, top)
    return blend(c, dim(rgb(light.key), 1.25), spark * (0.92 if r < 1.1 else 0.5))


@inline
def lashes(bx: float, a: float, above: float, below: float, f: Features, look: EyeLook, step: float) -> float:
    """Darkness of lash line and lashes in [0, 1]; `above` and `below` are heights outside the two lids."""
    outer = clamp(0.5 + 0.5 * a, 0.0, 1.0)
    inside = smooth(1.06, 0.9, abs(a))
    half = (0.016 + 0.02 * look.lashes) * mix(0.5, 1.25, outer)
    line = cover(half - abs(above - 0.3 * half), step + 0.012) * inside * min(1.0, 2.2 * half / step)
    reach = 0.11 * look.lashes * mix(0.35, 1.1, outer)
    hairs = 0.0
    if 0.0 < above < reach and a < 1.2:
        slant = bx * 26.0 - above * mix(-60.0, 130.0, outer) * 0.35
        tooth = abs(slant - math.floor(slant) - 0.5) * 2.0
        sharp = smooth(above / reach, above / reach - 0.6, 1.0 - tooth)
        hairs = mix(0.5 * (1.0 - above / reach), 1.0 - sharp, resolved(1 / 26.0, step)) * smooth(1.2, 1.0, abs(a))
        hairs *= 0.75 * (1.0 - 0.6 * above / reach)
    lower = 0.45 * look.lashes * cover(0.012 - abs(below - 0.01), step + 0.025) * inside * outer
    return clamp(max(line * (0.78 + 0.2 * look.lashes), hairs) + lower, 0.0, 1.0)


@inline
def lids(skin: Colour, a: float, above: float, below: float, f: Features, look: SkinLook) -> Colour:
    """Lit skin with the crease of the upper lid, the rim of the lower lid and the bag below it."""
    inside = smooth(1.25, 0.85, abs(a))
    fold = f.lid_fold * (1.0 - 0.35 * a * a) + 0.02
    crease = bump(above - fold - 0.03, 0.0, 0.055, 1.0) * inside * (above > -0.05)
    soft = 0.5 * bump(above - fold - 0.10, 0.0, 0.16, 1.0) * inside
    c = dim(skin, 1.0 - 0.42 * crease - 0.22 * soft)
    rim = bump(below - 0.035, 0.0, 0.04, 1.0) * smooth(1.05, 0.9, abs(a))
    c = blend(c, (skin[0] * 1.06, skin[1] * 0.93, skin[2] * 0.92), 0.8 * rim)
    bag = bump(below - 0.17 - 0.05 * look.age, 0.0, 0.09, 1.0) * smooth(1.1, 0.6, abs(a))
    return dim(c, 1.0 - (0.06 + 0.2 * look.age + 0.1 * f.smile) * bag)


@inline
def paint_eye(
    x: float, y: float, skin: Colour, lit: float, f: Features, e: Expression, eyes: EyeLook, look: SkinLook,
    light: Light, step: float,
) -> tuple[float, float, float, float]:  # fmt: skip
    """Lit skin colour with the eye painted over it, and how much of the sample is eyeball."""
    a = (abs(x) - f.eye_x) / f.eye_w
    upper, lower = lid_lines(clamp(a, -1.0, 1.0), f)
    above, below = upper - y, y - lower
    c = lids(skin, a, above, below, f, look)
    inside = min(min(-above, -below), (1.0 - abs(a)) * f.eye_w)
    shown = cover(inside, step + 0.006)
    if shown > 0.0:
        c = blend(c, eyeball(x, y, a, -above, lit, f, e, eyes, light, step, look.texture), shown)
    dark = lashes(abs(x) - f.eye_x, a, above, below, f, eyes, step)
    c = blend(c, dim(rgb(look.brow), 0.25), dark)
    return c[0], c[1], c[2], shown
