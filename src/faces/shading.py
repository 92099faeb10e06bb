"""Colour of every sample: skin, features, hair, clothes and glasses over the background."""

from typing import NamedTuple

import numpy as np

from src.compiled import inline, kernel
from src.faces.background import background
from src.faces.beard import beard_cover
from src.faces.brows import brow_cover
from src.faces.cloth import edge_shade, garment, garment_distance
from src.faces.eyes import paint_eye
from src.faces.factors import (
    Background,
    BeardLook,
    Camera,
    Clothes,
    Colour,
    Expression,
    EyeLook,
    GlassesLook,
    HairLook,
    Light,
    SkinLook,
)
from src.faces.falloff import bump, clamp, cover, mix, smooth
from src.faces.features import Features
from src.faces.glasses import frame_cover, lens_cover
from src.faces.hair import strand_pattern
from src.faces.lighting import blend, dim, gloss, irradiance, times, unit
from src.faces.mouth import inside_mouth, lip_albedo, lip_cover, mouth_line
from src.faces.noise import noise
from src.faces.parts import Part
from src.faces.raster import DEPTH, EMPTY, FIRST, MATERIAL
from src.faces.records import rgb
from src.faces.skin import cavities, face_albedo, nostril, oiliness, redden, roughen
from src.faces.tone import develop

HEAD, EAR, NECK, TORSO, INNER_HAIR = 1.0, 2.0, 3.0, 4.0, 5.0
"""Materials of the buffer of solid things."""

_SKIN, _EAR, _NOSE, _EYE, _BROW = int(Part.SKIN), int(Part.EAR), int(Part.NOSE), int(Part.EYE), int(Part.BROW)
_LIP, _MOUTH, _BEARD, _NECK, _CLOTHES = (int(p) for p in (Part.LIP, Part.MOUTH, Part.BEARD, Part.NECK, Part.CLOTHES))
_HAIR, _GLASSES, _BACKGROUND = int(Part.HAIR), int(Part.GLASSES), int(Part.BACKGROUND)


class Scene(NamedTuple):
    """All that the samples' colours depend on besides the buffers."""

    features: Features
    expression: Expression
    skin: SkinLook
    eyes: EyeLook
    hair: HairLook
    beard: BeardLook
    glasses: GlassesLook
    light: Light
    clothes: Clothes
    background: Background
    camera: Camera


Painted = tuple[float, float, float, int]


@inline
def _value(cell: np.ndarray, attribute: int) -> float:
    return np.float64(cell[FIRST + attribute])


@inline
def _surface(cell: np.ndarray) -> tuple[float, float, Colour, float]:
    n = unit(_value(cell, 3), _value(cell, 4), _value(cell, 5))
    return _value(cell, 0), _value(cell, 1), n, _value(cell, 6)


@inline
def _lit_skin(albedo: Colour, n: Colour, lit: float, open_: float, oil: float, wet: float, light: Light) -> Colour:
    c = times(albedo, irradiance(n, lit, open_, 1.0, light))
    shine = 0.11 * oil * gloss(n, lit, 0.35 + wet, light) * open_
    return c[0] + shine, c[1] + shine, c[2] + shine


@inline
def _nose_part(x: float, y: float, f: Features) -> bool:
    reach = mix(0.18, 0.6 * f.nose_w, clamp((y - f.nose_top) / (f.nose_tip - f.nose_top), 0.0, 1.0))
    return f.nose_top + 0.1 < y < f.nose_base + 0.03 and abs(x) < reach


@inline
def _glasses_shade(x: float, y: float, s: Scene, step: float) -> float:
    if s.glasses.present <= 0.0 or abs(y) > 1.2:
        return 1.0
    key = s.light.key_direction
    return 1.0 - 0.4 * frame_cover(x + 0.3 * key[0], y + 0.3 * key[1], s.glasses, 2.0, step + 0.09) * (abs(x) < 2.0)


@inline
def _paint_head(cell: np.ndarray, s: Scene, step: float) -> Painted:
    x, y, n, lit = _surface(cell)
    f, look = s.features, s.skin
    part = _NOSE if _nose_part(x, y, f) else _SKIN
    open_ = cavities(x, y, f, look, step) * _glasses_shade(x, y, s, step)
    albedo = face_albedo(x, y, f, look, step)
    oil, wet = oiliness(x, y, f, look), 0.0
    lip, gap, place = (0.0, 0.0, 0.0)
    if 1.2 < y < 3.4:
        lip, gap, place = lip_cover(x, y, f, step)
        if lip > 0.0:
            albedo = blend(albedo, lip_albedo(x, y, place, look, step), lip)
            open_ = mix(open_, 0.92, lip)
            oil, wet = mix(oil, 0.9, lip), 0.9 * lip
            part = _LIP if lip > 0.5 else part
    hairy = beard_cover(x, y, f, s.beard, look.texture, step) * (1.0 - 0.9 * lip)
    albedo = blend(albedo, rgb(s.beard.colour), hairy)
    oil *= 1.0 - 0.8 * hairy
    part = _BEARD if hairy > 0.45 else part
    if y < 0.2:
        brow = brow_cover(x, y, f, look.texture, step)
        albedo, oil = blend(albedo, rgb(look.brow), brow), oil * (1.0 - brow)
        part = _BROW if brow > 0.4 else part
    c = _lit_skin(albedo, roughen(x, y, n, look, step), lit, open_, oil, wet, s.light)
    return _paint_openings(x, y, c, n, lit, gap, part, s, step)


@inline
def _paint_openings(
    x: float, y: float, c: Colour, n: Colour, lit: float, gap: float, part: int, s: Scene, step: float
) -> Painted:
    f, look = s.features, s.skin
    if abs(y) < 0.8 and 0.3 < abs(x) < 1.9:
        r, g, b, eye = paint_eye(x, y, c, lit, f, s.expression, s.eyes, look, s.light, step)
        return r, g, b, _EYE if eye > 0.5 else part
    if 1.0 < y < f.nose_base + 0.2:
        dark = nostril(x, y, f, step)
        c = blend(c, dim(times(rgb(look.base), (0.16, 0.07, 0.06)), 0.9), 0.85 * dark)
    if 1.2 < y < 3.4:
        line = mouth_line(x, y, f, step)
        c = blend(c, dim(times(rgb(look.lip), (0.35, 0.22, 0.22)), 0.5), line)
        if gap > 0.0:
            room = irradiance(n, mix(0.5, 1.0, lit), 0.75, 0.0, s.light)
            c = blend(c, inside_mouth(x, y, f, room), gap)
            part = _MOUTH if gap > 0.5 else part
    return c[0], c[1], c[2], part


@inline
def _ring(p: float, q: float) -> float:
    return (p * p + q * q) ** 0.5


@inline
def _paint_ear(cell: np.ndarray, s: Scene, step: float) -> Painted:
    p, q, n, lit = _surface(cell)
    hollow = 0.55 * bump(p + 0.15, q - 0.1, 0.45, 0.5) + 0.3 * bump(_ring(p, q) - 0.68, 0.0, 0.16, 1.0) * (q < 0.5)
    albedo = redden(rgb(s.skin.base), 0.35 + 0.9 * s.skin.blush)
    c = _lit_skin(albedo, n, lit, 1.0 - hollow, 0.5 * s.skin.gloss, 0.0, s.light)
    return c[0], c[1], c[2], _EAR


@inline
def _paint_body(cell: np.ndarray, s: Scene, step: float) -> Painted:
    x, y, n, lit = _surface(cell)
    inside = garment_distance(x, y, s.clothes)
    worn = cover(inside, step + 0.01)
    c = (0.0, 0.0, 0.0)
    if worn < 1.0:
        shade = 1.0 - 0.5 * smooth(3.5, 2.4, y)
        mottle = 1.0 + 0.05 * noise(x * 2.0, y * 2.0, s.skin.texture)
        albedo = dim(redden(rgb(s.skin.base), 0.3 * s.skin.blush), 0.95 * mottle)
        c = _lit_skin(albedo, n, lit, shade * edge_shade(inside), 0.4 * s.skin.gloss, 0.0, s.light)
    if worn > 0.0:
        seed = s.background.texture
        bend = 0.25 * noise(x * 1.3 + 0.7 * y, y, seed + 3)
        folded = unit(n[0] + bend, n[1] + 0.5 * bend, n[2])
        cloth = garment(x, y, inside, s.clothes, seed, step)
        c = blend(c, times(cloth, irradiance(folded, lit, 0.9, 0.0, s.light)), worn)
    return c[0], c[1], c[2], _CLOTHES if worn > 0.5 else _NECK


@inline
def _paint_solid(cell: np.ndarray, s: Scene, step: float) -> Painted:
    kind = cell[MATERIAL]
    if kind == HEAD:
        return _paint_head(cell, s, step)
    if kind == EAR:
        return _paint_ear(cell, s, step)
    if kind == INNER_HAIR:
        return _paint_inner_hair(cell, s, step)
    return _paint_body(cell, s, step)


@inline
def _paint_inner_hair(cell: np.ndarray, s: Scene, step: float) -> Painted:
    locks, fine = strand_pattern(_value(cell, 0), _value(cell, 1), s.hair, step / max(abs(_value(cell, 5)), 0.25))
    c = dim(rgb(s.hair.root), 0.42 * _value(cell, 3) * max(1.0 + 0.3 * locks + 0.4 * fine, 0.1))
    return c[0], c[1], c[2], _HAIR


@inline
def _paint_hair(cell: np.ndarray, c: Colour, s: Scene, step: float) -> tuple[float, float, float, float]:
    strand, t, inside = _value(cell, 0), _value(cell, 1), _value(cell, 2)
    diffuse, shine, facing = _value(cell, 3), _value(cell, 4), _value(cell, 5)
    look = s.hair
    locks, fine = strand_pattern(strand, t, look, step / max(abs(facing), 0.25))
    soft = 0.11 + 0.1 * look.curl + 0.8 * step
    edge = smooth(-soft, soft, inside + (0.11 + 0.12 * look.curl) * locks + 0.10 * fine)
    rim = smooth(0.0, 0.22 + 0.5 * abs(fine) * (facing > 0.0), abs(facing) + 0.06 + 0.12 * locks)
    shown = clamp(edge * rim * look.density * (1.0 + 0.15 * fine), 0.0, 1.0)
    tone = 1.0 + 0.30 * locks + 0.42 * fine
    colour = blend(rgb(look.root), rgb(look.tip), clamp(0.45 + 0.5 * locks + 0.25 * fine, 0.0, 1.0))
    light = diffuse * max(tone, 0.12)
    white = shine * max(0.55 + 0.5 * fine + 0.35 * locks, 0.0) * (1.0 - 0.75 * look.curl)
    r = colour[0] * light + white * (0.55 * look.tip[0] + 0.035)
    g = colour[1] * light + white * (0.55 * look.tip[1] + 0.035)
    b = colour[2] * light + white * (0.55 * look.tip[2] + 0.037)
    return c[0] + (r - c[0]) * shown, c[1] + (g - c[1]) * shown, c[2] + (b - c[2]) * shown, shown


@inline
def _paint_glasses(cell: np.ndarray, c: Colour, s: Scene, step: float) -> tuple[float, float, float, float]:
    x, y = _value(cell, 0), _value(cell, 1)
    look = s.glasses
    glass = lens_cover(x, y, look, step)
    if glass > 0.0:
        streak = smooth(0.35, 0.0, abs(abs(x) - 0.9 + 0.8 * y - 0.25)) * smooth(0.4, -0.5, y)
        c = dim(c, 1.0 - look.tint * glass)
        c = blend(c, rgb(s.light.above), 0.16 * glass * streak)
    frame = frame_cover(x, y, look, 2.1 if s.hair.length > -3.0 else 3.9, step)
    bright = 0.55 + 0.6 * smooth(0.3, -0.55, y) + 0.3 * s.light.key_direction[0] * clamp(x, -1.0, 1.0)
    c = blend(c, dim(rgb(look.colour), max(bright, 0.2)), frame)
    return c[0], c[1], c[2], frame


@inline
def _sample(
    solid: np.ndarray, hair: np.ndarray, sheet: np.ndarray, behind: Colour, s: Scene, step: float
) -> tuple[float, float, float, int]:
    c, part = behind, _BACKGROUND
    if solid[DEPTH] > EMPTY:
        r, g, b, part = _paint_solid(solid, s, step)
        c = (r, g, b)
    before = sheet[DEPTH] > solid[DEPTH]
    if before and sheet[DEPTH] <= hair[DEPTH]:
        r, g, b, shown = _paint_glasses(sheet, c, s, step)
        c, part = (r, g, b), _GLASSES if shown > 0.5 else part
    if hair[DEPTH] > solid[DEPTH]:
        r, g, b, shown = _paint_hair(hair, c, s, step)
        c, part = (r, g, b), _HAIR if shown > 0.5 else part
    if before and sheet[DEPTH] > hair[DEPTH]:
        r, g, b, shown = _paint_glasses(sheet, c, s, step)
        c, part = (r, g, b), _GLASSES if shown > 0.5 else part
    return c[0], c[1], c[2], part


@kernel
def shade(
    solid: np.ndarray, hair: np.ndarray, sheet: np.ndarray, s: Scene, step: float, factor: int
) -> tuple[np.ndarray, np.ndarray]:
    """Image [size, size, 3] and part map [size, size], both UInt8, from buffers with `factor` samples a pixel side."""
    size = solid.shape[0] // factor
    image = np.empty((size, size, 3), np.uint8)
    parts = np.empty((size, size), np.uint8)
    weight = 255.0 / (factor * factor)
    for oy in range(size):
        for ox in range(size):
            u, v = (ox + 0.5) / size, (oy + 0.5) / size
            behind = background(u, v, s.background)
            plain = develop(behind, u, v, s.camera)
            red, green, blue = 0.0, 0.0, 0.0
            for k in range(factor * factor):
                y, x = oy * factor + k // factor, ox * factor + k % factor
                part, shown = _BACKGROUND, plain
                if max(solid[y, x, DEPTH], hair[y, x, DEPTH]) > EMPTY or sheet[y, x, DEPTH] > EMPTY:
                    r, g, b, part = _sample(solid[y, x], hair[y, x], sheet[y, x], behind, s, step)
                    shown = develop((r, g, b), u, v, s.camera)
                red, green, blue = red + shown[0], green + shown[1], blue + shown[2]
                if k == (factor // 2) * (factor + 1):
                    parts[oy, ox] = part
            image[oy, ox, 0] = int(red * weight + 0.5)
            image[oy, ox, 1] = int(green * weight + 0.5)
            image[oy, ox, 2] = int(blue * weight + 0.5)
    return image, parts
