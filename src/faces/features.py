"""Positions and sizes of the features of one picture: the face shape moved by the expression."""

from typing import NamedTuple

from src.compiled import inline
from src.faces.factors import Expression, FaceShape
from src.faces.falloff import mix


class Features(NamedTuple):
    """All that geometry and painting need to know about the face; lengths as in `factors`."""

    width: float
    """Half width of the skull."""
    jaw: float
    chin: float
    lower: float
    jaw_drop: float
    cheek: float
    cheekbone: float
    brow_ridge: float
    smile: float
    eye_x: float
    eye_w: float
    lid_up: float
    """Height of the upper lid's arc above the corners; `lid_low` below."""
    lid_low: float
    eye_tilt: float
    eye_depth: float
    lid_fold: float
    brow_y: float
    brow_arch: float
    brow_thick: float
    brow_len: float
    brow_tilt: float
    frown: float
    raised: float
    nose_top: float
    nose_tip: float
    nose_base: float
    nose_w: float
    bridge: float
    projection: float
    roundness: float
    mouth_y: float
    mouth_w: float
    corner_y: float
    lip_up: float
    lip_low: float
    gap_up: float
    """Opening above the line between the lips; `gap_low` below."""
    gap_low: float
    chin_y: float


def resolve(shape: FaceShape, expression: Expression) -> Features:
    """The features of a face of this shape with this expression."""
    lower, smile, opened = shape.lower_face, expression.smile, expression.open
    joy = max(smile, 0.0)
    mouth_y = 2.06 * lower + shape.mouth_drop - 0.04 * joy
    mouth_w = shape.mouth_width * (1.0 + 0.2 * joy) - 0.05 * opened
    jaw_drop = 0.26 * opened
    return Features(
        width=2.25 * shape.head_size,
        jaw=shape.jaw_size,
        chin=shape.chin_size,
        lower=lower,
        jaw_drop=jaw_drop,
        cheek=shape.cheek,
        cheekbone=shape.cheekbone,
        brow_ridge=shape.brow_ridge,
        smile=joy,
        eye_x=1.0,
        eye_w=shape.eye_width,
        lid_up=0.64 * shape.eye_height * expression.lid,
        lid_low=0.36 * shape.eye_height * (1.0 - 0.35 * joy),
        eye_tilt=shape.eye_tilt,
        eye_depth=shape.eye_depth,
        lid_fold=shape.lid_fold,
        brow_y=-0.58 + shape.brow_drop - 0.1 * expression.raise_brow + 0.05 * expression.frown,
        brow_arch=shape.brow_arch + 0.03 * expression.raise_brow,
        brow_thick=shape.brow_thickness,
        brow_len=shape.brow_length,
        brow_tilt=shape.brow_tilt - 0.12 * expression.frown,
        frown=expression.frown,
        raised=max(expression.raise_brow, 0.0),
        nose_top=-0.25,
        nose_tip=1.14 * shape.nose_length * lower - 0.02 * joy,
        nose_base=1.42 * shape.nose_length * lower - 0.03 * joy,
        nose_w=shape.nose_width * (1.0 + 0.08 * joy),
        bridge=shape.nose_bridge,
        projection=shape.nose_projection,
        roundness=shape.nose_roundness,
        mouth_y=mouth_y,
        mouth_w=mouth_w,
        corner_y=mouth_y + 0.03 - 0.15 * smile + 0.08 * opened,
        lip_up=shape.upper_lip * (1.0 - 0.2 * joy),
        lip_low=shape.lower_lip * (1.0 - 0.12 * joy),
        gap_up=0.03 * opened + 0.07 * opened * joy,
        gap_low=jaw_drop * 0.75 + 0.06 * opened * joy,
        chin_y=3.42 * lower + jaw_drop * 0.8,
    )


@inline
def lip_lines(m: float, f: Features) -> tuple[float, float, float, float]:
    """Heights of the lips' outlines at `m` = x / mouth half-width in (-1, 1), from top to bottom.

    Upper lip's outer edge, its inner edge, the lower lip's inner edge, its outer edge.
    """
    mm = m * m
    rest = max(1.0 - mm, 0.0)
    middle = f.mouth_y + (f.corner_y - f.mouth_y) * mm
    arc = rest**0.6
    bow = 1.0 - 0.3 * max(1.0 - abs(m) / 0.26, 0.0) - 0.55 * max(abs(m) - 0.26, 0.0)
    dip = 0.02 * max(1.0 - abs(m) / 0.3, 0.0) * (1.0 if f.gap_low < 0.03 else 0.3)
    inner_up = middle - f.gap_up * rest + dip
    inner_low = middle + f.gap_low * arc + dip
    return inner_up - f.lip_up * bow * arc, inner_up, inner_low, inner_low + f.lip_low * mix(arc, rest, 0.4)


@inline
def lid_lines(a: float, f: Features) -> tuple[float, float]:
    """Heights of the upper and lower lid at `a` in (-1, 1), from the inner to the outer corner of an eye."""
    rest = max(1.0 - a * a, 0.0)
    root = rest**0.5
    skew = a - 0.12 * rest
    slope = -f.eye_tilt * a
    upper = slope - f.lid_up * (0.62 * root + 0.38 * rest) * (1.0 - 0.18 * skew)
    return upper, slope + f.lid_low * (0.4 * root + 0.6 * rest) * (1.0 + 0.22 * skew)


@inline
def brow_line(a: float, f: Features) -> tuple[float, float]:
    """Height of a brow's middle and its half-thickness at `a` in (0, 1), from the nose to the temple."""
    up = 1.0 - ((a - 0.62) / 0.62) ** 2
    middle = f.brow_y - f.brow_arch * (up - 0.35) - f.brow_tilt * (a - 0.5)
    half = f.brow_thick * (1.0 - 0.72 * a * a) * min(1.0, 0.55 + 3.0 * a)
    return middle, half
