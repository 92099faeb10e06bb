"""Facial hair on chin, cheeks and upper lip."""

from src.compiled import inline
from src.faces.factors import BeardLook
from src.faces.falloff import bump, smooth
from src.faces.features import Features
from src.faces.noise import noise, resolved


@inline
def _moustache(ax: float, y: float, f: Features) -> float:
    low = f.mouth_y - f.gap_up - 0.35 * f.lip_up + (f.corner_y - f.mouth_y + 0.16) * (ax / f.mouth_w) ** 2
    high = f.nose_base + 0.06 + 0.22 * ax * ax
    band = smooth(high - 0.05, high + 0.07, y) * smooth(low + 0.05, low - 0.05, y)
    return band * smooth(1.12 * f.mouth_w, 0.85 * f.mouth_w, ax)


@inline
def _chin(ax: float, y: float, f: Features) -> float:
    middle, half = 0.5 * (f.nose_base + f.chin_y), 0.5 * (f.chin_y - f.nose_base) + 0.12
    u, v = ax / (f.mouth_w + 0.3), (y - middle) / half
    around = smooth(1.0, 0.72, u * u + v * v) * smooth(f.nose_base + 0.1, f.mouth_y, y)
    lips = f.mouth_y + 0.5 * (f.gap_low + f.lip_low - f.gap_up - f.lip_up)
    p = ax / (f.mouth_w + 0.1)
    q = (y - lips) / (0.5 * (f.gap_up + f.lip_up + f.gap_low + f.lip_low) + 0.1)
    return around * smooth(0.75, 1.15, p * p + q * q)


@inline
def _cheek(ax: float, y: float, f: Features) -> float:
    line = 2.05 * f.lower - 1.0 * smooth(0.85, 2.0, ax) - 0.55 * smooth(1.5, 2.1, ax)
    grown = smooth(line - 0.08, line + 0.22, y)
    return grown * smooth(f.mouth_w + 0.05, f.mouth_w + 0.25, ax + 0.9 * max(y - f.corner_y - 0.2, 0.0))


@inline
def beard_cover(x: float, y: float, f: Features, look: BeardLook, seed: int, step: float) -> float:
    """How much of the skin at (x, y) facial hair hides, in [0, 1]."""
    if y < 0.3:
        return 0.0
    ax = abs(x)
    hair = noise(x * 20.0, y * 9.0, seed + 21) * resolved(1 / 20.0, step)
    fine = noise(x * 46.0, y * 20.0, seed + 22) * resolved(1 / 46.0, step)
    ragged = 0.05 * noise(x * 8.0, y * 8.0, seed + 23)
    regions = (_moustache(ax, y + ragged, f), _chin(ax, y + ragged, f), _cheek(ax, y + ragged, f))
    grown = max(max(regions[0] * look.moustache, regions[1] * look.chin), regions[2] * look.cheek)
    shadow = max(max(regions[0], regions[1]), regions[2]) * look.stubble * 0.3 * (1.0 + 0.35 * fine)
    under_lip = 1.0 - 0.3 * bump(ax, y - f.mouth_y, 1.5, 0.1)
    return min(max(grown * (0.86 + 0.2 * hair + 0.22 * fine) * under_lip, shadow), 0.97)


@inline
def beard_relief(x: float, y: float, f: Features, look: BeardLook) -> float:
    """How far a beard stands out from the skin, in head units."""
    if look.length <= 0.0 or y < 0.6:
        return 0.0
    ax = abs(x)
    grown = max(_chin(ax, y, f) * look.chin, _cheek(ax, y, f) * look.cheek)
    return look.length * (0.16 * grown * smooth(0.9, 2.6, y) + 0.05 * _moustache(ax, y, f) * look.moustache)
