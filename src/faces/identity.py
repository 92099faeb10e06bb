"""Draws the factors of a person from (seed, identity) alone."""

import numpy as np

from src.faces.factors import BeardLook, Colour, EyeLook, FaceShape, GlassesLook, Identity, SkinLook
from src.faces.hairstyle import draw_hair
from src.faces.palette import FRAMES, HAIR, IRIS, between, linear, scaled, skin_tone

_TAG = 11


def limited(value: float, low: float, high: float) -> float:
    """`value` limited to [low, high]; for single numbers much faster than NumPy's clip."""
    return min(max(value, low), high)


def around(rng: np.random.Generator, mean: float, deviation: float) -> float:
    """A normal draw, limited to two deviations."""
    return mean + deviation * min(max(float(rng.standard_normal()), -2.0), 2.0)


def _shape(rng: np.random.Generator, masculine: float, age: float, width: float, depth: float) -> FaceShape:
    broad = max(depth - 0.5, 0.0) * 2.0 * rng.random()
    return FaceShape(
        head_size=around(rng, 1.0, 0.034),
        jaw_size=around(rng, 0.93 + 0.11 * masculine, 0.06) + 0.04 * width,
        chin_size=around(rng, 0.85 + 0.3 * masculine, 0.14),
        lower_face=around(rng, 0.99 + 0.03 * masculine, 0.025),
        cheek=limited(around(rng, 0.1 - 0.2 * masculine, 0.45) + 0.5 * width, -1.0, 1.0),
        cheekbone=around(rng, 1.0, 0.3),
        brow_ridge=around(rng, 0.35 + 0.65 * masculine, 0.2),
        eye_width=around(rng, 0.50, 0.022),
        eye_height=around(rng, 0.365 - 0.035 * masculine, 0.035),
        eye_tilt=around(rng, 0.035 - 0.03 * masculine, 0.045),
        eye_depth=around(rng, 0.9 + 0.2 * masculine, 0.2),
        lid_fold=around(rng, 0.11, 0.035),
        nose_width=around(rng, 0.92 + 0.14 * masculine, 0.14) + 0.12 * broad,
        nose_length=around(rng, 0.99 + 0.02 * masculine, 0.05),
        nose_bridge=around(rng, 0.22, 0.08),
        nose_projection=around(rng, 0.50 + 0.07 * masculine, 0.08),
        nose_roundness=around(rng, 0.18, 0.05),
        mouth_width=around(rng, 0.80 + 0.04 * masculine, 0.055),
        mouth_drop=around(rng, 0.0, 0.035),
        upper_lip=0.03 * broad + around(rng, 0.17 - 0.035 * masculine - 0.03 * age, 0.032),
        lower_lip=0.03 * broad + around(rng, 0.235 - 0.035 * masculine - 0.03 * age, 0.036),
        brow_drop=around(rng, 0.10 * masculine - 0.05, 0.045),
        brow_arch=around(rng, 0.17 - 0.10 * masculine, 0.045),
        brow_thickness=around(rng, 0.075 + 0.04 * masculine, 0.017),
        brow_length=around(rng, 1.17, 0.06),
        brow_tilt=around(rng, -0.02, 0.04),
        ear_size=around(rng, 0.97 + 0.06 * masculine + 0.06 * age, 0.06),
        neck_size=around(rng, 0.88 + 0.24 * masculine, 0.05) + 0.05 * width,
    )


def _hair_colour(rng: np.random.Generator, depth: float, age: float) -> tuple[Colour, Colour, str]:
    if depth > 0.42:
        names, weights = ["black", "dark brown", "brown"], [0.7, 0.25, 0.05]
    else:
        names = ["black", "dark brown", "brown", "chestnut", "light brown", "red", "dark blond", "blond", "platinum"]
        weights = [0.15, 0.19, 0.17, 0.09, 0.11, 0.07, 0.10, 0.09, 0.03]
    name = str(rng.choice(names, p=weights))
    root = linear(HAIR[name])
    tip = scaled(root, around(rng, 1.35, 0.15), around(rng, 1.3, 0.12), around(rng, 1.22, 0.1))
    if rng.random() < 0.13:
        tip = between(tip, linear(HAIR["blond" if depth < 0.5 else "chestnut"]), 0.5)
    grey = limited((age - 0.5) * 2.4 + around(rng, 0.0, 0.3), 0.0, 1.0)
    silver = linear(HAIR["white" if age > 0.85 else "grey"])
    return between(root, silver, grey * 0.85), between(tip, silver, grey), name


def _eyes(rng: np.random.Generator, depth: float, masculine: float) -> EyeLook:
    names = list(IRIS)
    weights = [0.75, 0.22, 0.03, 0.0, 0.0, 0.0] if depth > 0.5 else [0.17, 0.24, 0.14, 0.13, 0.23, 0.09]
    name = str(rng.choice(names, p=weights))
    brightness = around(rng, 1.0, 0.15)
    iris = scaled(linear(IRIS[name]), brightness, brightness, brightness)
    warm = linear(IRIS["brown" if rng.random() < 0.4 else name])
    return EyeLook(
        iris=iris,
        inner=scaled(between(iris, warm, 0.6), 1.25, 1.15, 1.05),
        radius=around(rng, 0.212, 0.007),
        lashes=limited(around(rng, 0.85 - 0.6 * masculine, 0.15), 0.1, 1.0),
    )


def _skin(rng: np.random.Generator, depth: float, masculine: float, age: float, brow: Colour) -> SkinLook:
    warmth = around(rng, 0.0, 0.05)
    base = scaled(skin_tone(depth), 1.0 + 0.3 * warmth, 1.0, 1.0 - 1.2 * warmth)
    makeup = max(0.0, around(rng, 0.45, 0.4)) * (masculine < 0.5)
    rose = linear((176, 84, 88)) if rng.random() < 0.7 else linear((168, 52, 62))
    natural = scaled(base, 0.86, 0.56, 0.58)
    return SkinLook(
        base=base,
        lip=between(natural, scaled(rose, 1.0 - 0.5 * depth, 1.0 - 0.6 * depth, 1.0 - 0.6 * depth), min(makeup, 0.85)),
        blush=max(0.1, around(rng, 0.5, 0.22)),
        freckles=max(0.0, around(rng, -0.2, 0.5)) * max(0.0, 1.0 - 2.2 * depth),
        mottle=around(rng, 0.5, 0.2) + 0.4 * age,
        gloss=around(rng, 0.55, 0.2) + 0.2 * depth,
        age=age,
        eye_shadow=limited(around(rng, 0.3 + 0.3 * age, 0.2), 0.0, 1.0),
        brow=brow,
        texture=int(rng.integers(1 << 20)),
    )


def _beard(rng: np.random.Generator, masculine: float, colour: Colour) -> BeardLook:
    kind = rng.random() if masculine > 0.5 else 1.0
    dense = around(rng, 0.85, 0.1)
    stubble = max(0.0, around(rng, 0.35, 0.2)) if masculine > 0.5 else 0.0
    length = float(rng.uniform(0.3, 1.0))
    if kind < 0.17:
        return BeardLook(colour, dense, dense, dense, length, stubble)
    if kind < 0.27:
        return BeardLook(colour, dense, dense, 0.0, 0.5, stubble)
    if kind < 0.34:
        return BeardLook(colour, dense, 0.0, 0.0, 0.5, stubble)
    if kind < 0.55:
        return BeardLook(colour, 0.68, 0.68, 0.6, 0.0, max(stubble, 0.6))
    return BeardLook(colour, 0.0, 0.0, 0.0, 0.0, stubble * 0.5)


def _glasses(rng: np.random.Generator) -> GlassesLook:
    height = float(rng.uniform(0.46, 0.62))
    return GlassesLook(
        present=float(rng.random() < 0.22),
        width=float(rng.uniform(0.70, 0.80)),
        height=height,
        power=float(rng.uniform(2.2, 4.5)),
        thickness=float(rng.choice([0.022, 0.04, 0.06])),
        colour=linear(FRAMES[int(rng.integers(len(FRAMES)))]),
        tint=float(rng.uniform(0.0, 0.12)),
    )


def draw_identity(seed: int, identity: int) -> Identity:
    """The person number `identity` of the population `seed`; both must not be negative."""
    rng = np.random.default_rng((seed, identity, _TAG))
    masculine = limited((0.88 if rng.random() < 0.5 else 0.12) + around(rng, 0.0, 0.08), 0.0, 1.0)
    age = float(rng.beta(1.3, 2.0))
    depth = float(rng.choice([rng.beta(1.6, 4.0), rng.uniform(0.2, 1.0)]))
    width = around(rng, 0.0, 0.5)
    root, tip, _ = _hair_colour(rng, depth, age)
    shape = _shape(rng, masculine, age, width, depth)
    bright = sum(root) / 3.0
    brow = scaled(root, 0.8, 0.75, 0.7) if bright < 0.1 else between(root, linear(HAIR["brown"]), 0.55)
    return Identity(
        shape=shape,
        skin=_skin(rng, depth, masculine, age, brow),
        eyes=_eyes(rng, depth, masculine),
        hair=draw_hair(rng, masculine, age, depth, root, tip),
        beard=_beard(rng, masculine, between(brow, root, 0.5)),
        glasses=_glasses(rng),
        smile=float(rng.beta(1.5, 1.5)),
    )
