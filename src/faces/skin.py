"""Colour and fine relief of the skin of face, ears and neck, at rest coordinates (x, y) of the face."""

import math

from src.compiled import inline
from src.faces.factors import Colour, SkinLook
from src.faces.falloff import bump, clamp, mix, smooth
from src.faces.features import Features
from src.faces.lighting import Vector, unit
from src.faces.noise import lattice, noise, resolved
from src.faces.records import rgb


@inline
def redden(c: Colour, amount: float) -> Colour:
    """Skin with more blood in it."""
    return c[0] * (1.0 + 0.03 * amount), c[1] * (1.0 - 0.22 * amount), c[2] * (1.0 - 0.2 * amount)


@inline
def _flush(ax: float, y: float, f: Features, look: SkinLook) -> float:
    cheeks = bump(ax - 1.3, y - 1.02, 0.95, 0.75) * (0.9 + 0.4 * f.smile)
    nose = 0.75 * bump(ax, y - f.nose_tip - 0.05, 0.75, 0.5)
    lids = 0.35 * bump(ax - f.eye_x, y, 0.8, 0.42)
    chin = 0.35 * bump(ax, y - f.chin_y + 0.3, 0.8, 0.5)
    return look.blush * (cheeks + nose + lids + chin)


@inline
def _texture(x: float, y: float, look: SkinLook, step: float) -> float:
    spots = 0.55 * noise(x * 1.7, y * 1.7, look.texture) + 0.35 * noise(x * 5.0, y * 5.0, look.texture + 1)
    return look.mottle * (spots + 0.45 * noise(x * 22.0, y * 22.0, look.texture + 2) * resolved(1 / 22.0, step))


@inline
def _freckles(x: float, y: float, look: SkinLook, step: float) -> float:
    field = bump(abs(x) - 0.8, y - 0.75, 1.3, 0.9) + 0.25
    u, v = x * 9.0 + 0.4 * noise(x * 5.0, y * 5.0, look.texture + 4), y * 9.0
    i, j = math.floor(u), math.floor(v)
    seed = look.texture + 3
    du = u - i - 0.5 - 0.25 * lattice(i, j, seed)
    dv = v - j - 0.5 - 0.25 * lattice(i, j, seed + 8)
    size = 0.16 + 0.12 * lattice(i, j, seed + 9)
    dots = 0.8 * bump(du, dv, size * 1.5, size * 1.5)
    return look.freckles * field * mix(0.06, dots, resolved(1 / 16.0, step))


@inline
def face_albedo(x: float, y: float, f: Features, look: SkinLook, step: float) -> Colour:
    """Reflectance of bare skin."""
    ax = abs(x)
    c = redden(rgb(look.base), _flush(ax, y, f, look))
    dark = look.eye_shadow * (
        0.9 * bump(ax - f.eye_x + 0.1, y - 0.3, 0.6, 0.3) + 0.6 * bump(ax - 0.95, y + 0.12, 0.7, 0.4)
    )
    light = 1.0 + 0.07 * _texture(x, y, look, step) + 0.05 * bump(ax, y + 1.2, 1.6, 0.9)
    spots = _freckles(x, y, look, step)
    return (
        c[0] * light * (1.0 - 0.2 * dark) * (1.0 - 0.28 * spots),
        c[1] * light * (1.0 - 0.3 * dark) * (1.0 - 0.42 * spots),
        c[2] * light * (1.0 - 0.26 * dark) * (1.0 - 0.5 * spots),
    )


@inline
def _fold_line(ax: float, y: float, f: Features, look: SkinLook) -> float:
    t = (y - f.nose_tip - 0.02) / (f.corner_y - f.nose_tip + 0.12)
    if t < 0.0 or t > 1.05:
        return 0.0
    line = 0.6 * f.nose_w + (f.mouth_w + 0.14 - 0.6 * f.nose_w) * (0.35 * t + 0.65 * t * t)
    strength = (0.14 + 0.4 * f.smile + 0.35 * look.age) * smooth(0.0, 0.15, t) * smooth(1.05, 0.7, t)
    return strength * bump(ax - line, 0.0, 0.15, 1.0)


@inline
def _wrinkles(x: float, y: float, f: Features, look: SkinLook, step: float) -> float:
    ax = abs(x)
    lines = 0.0
    old = clamp(look.age * 1.5 - 0.35, 0.0, 1.0)
    if -1.75 < y < -0.85:
        wave = y + 0.05 * noise(x * 1.3, 0.0, look.texture + 5) + 0.04 * ax * ax
        phase = (wave + 1.75) / 0.24
        ridge = abs(phase - int(phase) - 0.5) * 0.24
        lines += (
            (0.5 * old + 0.35 * f.raised * (0.3 + look.age))
            * bump(ridge, 0.0, 0.045 + step, 1.0)
            * smooth(1.5, 0.8, ax)
        )
    if y < -0.25:
        lines += f.frown * 0.5 * bump(ax - 0.14, y + 0.6, 0.06 + step, 0.3)
    if ax > 1.5 and abs(y) < 0.5:
        ray = (y + 0.02) / (ax - 1.2)
        fan = abs(ray * 3.0 - round(ray * 3.0)) / 3.0 * (ax - 1.2)
        lines += (0.6 * old + 0.3 * f.smile * look.age) * bump(fan, ax - 1.75, 0.03 + step, 0.24) * (abs(ray) < 0.6)
    return lines


@inline
def cavities(x: float, y: float, f: Features, look: SkinLook, step: float) -> float:
    """Share of the room's light in [0, 1] that hollows and creases let through."""
    ax = abs(x)
    shade = 0.22 * bump(ax - 0.55, y + 0.12, 0.38, 0.42) + 0.12 * bump(ax - f.eye_x, y + 0.18, 0.75, 0.34)
    shade += 0.3 * bump(ax, y - f.nose_base - 0.03, 0.55 * f.nose_w, 0.16)
    wing = bump(ax - 0.56 * f.nose_w, y - f.nose_tip - 0.1, 0.13, 0.3)
    shade += 0.3 * wing
    shade += 0.3 * bump(ax, y - f.mouth_y - f.gap_low - f.lip_low - 0.13, 0.62 * f.mouth_w + 0.1, 0.17)
    shade += 0.25 * bump(ax - f.mouth_w - 0.04, y - f.corner_y, 0.2, 0.17)
    shade += 0.3 * smooth(f.chin_y - 0.25, f.chin_y + 0.05, y) + 0.1 * smooth(1.75, 2.2, ax)
    shade += _fold_line(ax, y, f, look) * 0.55 + 0.4 * _wrinkles(x, y, f, look, step)
    return max(1.0 - shade, 0.12)


@inline
def nostril(x: float, y: float, f: Features, step: float) -> float:
    """How dark a point is for being in a nostril, in [0, 1]."""
    ax = abs(x)
    dx = (ax - 0.215 * f.nose_w) / (0.12 * f.nose_w)
    dy = (y - f.nose_base + 0.075 - 0.16 * (ax - 0.2)) / 0.055
    return smooth(1.25 + 4.0 * step, 0.55, dx * dx + dy * dy) * 0.9


@inline
def roughen(x: float, y: float, n: Vector, look: SkinLook, step: float) -> Vector:
    """The normal with the skin's pores."""
    amount = 0.05 * resolved(1 / 26.0, step)
    if amount <= 0.0:
        return n
    u = noise(x * 26.0, y * 26.0, look.texture + 6)
    v = noise(x * 26.0, y * 26.0, look.texture + 7)
    return unit(n[0] + amount * u, n[1] + amount * v, n[2])


@inline
def oiliness(x: float, y: float, f: Features, look: SkinLook) -> float:
    """Strength of gloss: most on forehead, nose and cheekbones."""
    ax = abs(x)
    zone = 0.5 + 0.5 * bump(ax, y + 1.1, 1.4, 0.8) + 0.7 * bump(ax, y - f.nose_tip + 0.1, 0.4, 0.8)
    return look.gloss * (zone + 0.4 * bump(ax - 1.3, y - 0.65, 0.7, 0.5))
