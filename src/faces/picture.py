"""Draws what changes between pictures of a person from (seed, identity, picture)."""

import math

import numpy as np

from src.faces.factors import (
    Background,
    Camera,
    Clothes,
    Colour,
    Expression,
    GlassesLook,
    HairLook,
    Identity,
    Light,
    Picture,
    Pose,
)
from src.faces.identity import around, limited
from src.faces.palette import CLOTH, WALLS, linear, scaled

_TAG = 23


def _expression(rng: np.random.Generator, readiness: float) -> Expression:
    smiles = rng.random() < 0.3 + 0.5 * readiness
    smile = float(rng.uniform(0.4, 1.0)) if smiles else float(rng.uniform(-0.15, 0.25))
    laughs = smile > 0.5 and rng.random() < 0.65
    opened = float(rng.uniform(0.35, 0.9)) if laughs else max(0.0, float(rng.uniform(-0.9, 0.3)))
    return Expression(
        smile=smile,
        open=opened,
        raise_brow=max(-0.3, around(rng, 0.1, 0.35)),
        frown=max(0.0, around(rng, -0.3, 0.5)) * (1.0 - max(smile, 0.0)),
        lid=limited(around(rng, 1.0, 0.08) - 0.14 * max(smile, 0.0), 0.55, 1.15),
        gaze_x=around(rng, 0.0, 0.05),
        gaze_y=around(rng, 0.0, 0.025),
    )


def _pose(rng: np.random.Generator) -> Pose:
    yaw = around(rng, 0.0, 0.21)
    return Pose(
        yaw=yaw,
        pitch=around(rng, 0.0, 0.085),
        roll=around(rng, 0.0, 0.07),
        body_yaw=yaw * float(rng.uniform(0.0, 0.8)) + around(rng, 0.0, 0.15),
        shift_x=around(rng, 0.0, 0.045),
        shift_y=around(rng, 0.0, 0.045),
        scale=around(rng, 1.0, 0.022),
        tilt=around(rng, 0.0, 0.025),
    )


def _direction(azimuth: float, elevation: float) -> Colour:
    flat = math.cos(elevation)
    return math.sin(azimuth) * flat, -math.sin(elevation), math.cos(azimuth) * flat


def _grey(value: float, warmth: float) -> Colour:
    return value * (1.0 + warmth), value, value * (1.0 - 1.3 * warmth)


def _light(rng: np.random.Generator) -> Light:
    azimuth = around(rng, 0.0, 0.72)
    key = around(rng, 0.98, 0.12)
    fill = float(rng.uniform(0.10, 0.3))
    warmth = around(rng, 0.04, 0.05)
    ambient = float(rng.uniform(0.20, 0.34))
    return Light(
        key_direction=_direction(azimuth, around(rng, 0.6, 0.16)),
        key=_grey(key, warmth),
        fill_direction=_direction(-1.1 if azimuth > 0.0 else 1.1, 0.15),
        fill=_grey(fill, around(rng, -0.02, 0.06)),
        above=_grey(ambient, -0.03),
        below=_grey(ambient * 0.8, 0.08),
        shadow=float(rng.uniform(0.4, 0.85)),
    )


def _clothes(rng: np.random.Generator) -> Clothes:
    first, second = rng.choice(len(CLOTH), size=2, replace=False)
    return Clothes(
        colour=linear(CLOTH[int(first)]),
        accent=linear(CLOTH[int(second)]),
        collar=int(rng.choice(4, p=[0.4, 0.2, 0.28, 0.12])),
        pattern=int(rng.choice(4, p=[0.5, 0.16, 0.16, 0.18])),
        neckline=around(rng, 0.0, 0.12),
    )


def _background(rng: np.random.Generator) -> Background:
    kind = int(rng.choice(5, p=[0.3, 0.17, 0.19, 0.17, 0.17]))
    picks = rng.choice(len(WALLS), size=3, replace=False)
    first, second, third = (linear(WALLS[int(pick)]) for pick in picks)
    if kind == 3:
        first, second, third = linear((62, 92, 46)), linear((128, 150, 84)), linear((206, 220, 214))
        tone = float(rng.uniform(0.6, 1.3))
        first, second = scaled(first, tone, tone, tone), scaled(second, tone * float(rng.uniform(0.8, 1.6)), tone, tone)
    return Background(
        kind=kind,
        first=first,
        second=second,
        third=third,
        angle=float(rng.uniform(-0.6, 0.6)),
        offset=float(rng.uniform(-0.6, 0.6)),
        texture=int(rng.integers(1 << 20)),
    )


def _camera(rng: np.random.Generator, skin: Colour) -> Camera:
    # A camera's automatic exposure meets the skin halfway.
    brightness = 0.3 * skin[0] + 0.6 * skin[1] + 0.1 * skin[2]
    exposure = min((0.32 / brightness) ** 0.36, 1.8) * math.exp(around(rng, 0.0, 0.09))
    warmth = around(rng, 0.03, 0.035)
    return Camera(
        gain=(exposure * (1.0 + warmth), exposure * (1.0 + 0.15 * around(rng, 0.0, 0.05)), exposure * (1.0 - warmth)),
        contrast=float(rng.uniform(0.1, 0.5)),
        saturation=around(rng, 0.95, 0.09),
        vignette=float(rng.uniform(0.0, 0.35)),
    )


def _hair_of_the_day(rng: np.random.Generator, hair: HairLook) -> HairLook:
    return hair._replace(
        top=hair.top * around(rng, 1.0, 0.12),
        side=hair.side * around(rng, 1.0, 0.1),
        comb=hair.comb + around(rng, 0.0, 0.12),
        wave=hair.wave * around(rng, 1.0, 0.2),
        part=hair.part + around(rng, 0.0, 0.04),
        fringe=hair.fringe * around(rng, 1.0, 0.1),
        opening=hair.opening + around(rng, 0.0, 0.04),
    )


def _glasses_today(rng: np.random.Generator, glasses: GlassesLook) -> GlassesLook:
    wears = rng.random() < 0.85 if glasses.present > 0.0 else rng.random() < 0.02
    return glasses._replace(present=float(wears))


def draw_picture(seed: int, identity: int, picture: int, person: Identity) -> Picture:
    """Picture number `picture` of `person`, which is `draw_identity(seed, identity)`."""
    rng = np.random.default_rng((seed, identity, picture, _TAG))
    beard = person.beard
    return Picture(
        expression=_expression(rng, person.smile),
        pose=_pose(rng),
        light=_light(rng),
        clothes=_clothes(rng),
        background=_background(rng),
        camera=_camera(rng, person.skin.base),
        hair=_hair_of_the_day(rng, person.hair),
        beard=beard._replace(stubble=beard.stubble * float(rng.uniform(0.5, 1.2))),
        glasses=_glasses_today(rng, person.glasses),
    )
