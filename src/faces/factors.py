"""What a face and a picture of it are described by.

Lengths are in half eye distances (about 31.5 mm; 63 pixels of the 512-pixel FFHQ template); x points right in the
image, y down, z towards the camera; the origin lies between the eyes. Colours are linear light in [0, 1].
"""

from typing import NamedTuple

Colour = tuple[float, float, float]


class FaceShape(NamedTuple):
    """Bones and soft parts at rest; fields named `*_size` are factors with mean 1."""

    head_size: float
    jaw_size: float
    chin_size: float
    lower_face: float
    """Factor on all heights below the eyes."""
    cheek: float
    """Fullness in [-1, 1]: hollow to round."""
    cheekbone: float
    brow_ridge: float
    eye_width: float
    eye_height: float
    eye_tilt: float
    eye_depth: float
    lid_fold: float
    nose_width: float
    nose_length: float
    nose_bridge: float
    nose_projection: float
    nose_roundness: float
    mouth_width: float
    mouth_drop: float
    upper_lip: float
    lower_lip: float
    brow_drop: float
    brow_arch: float
    brow_thickness: float
    brow_length: float
    brow_tilt: float
    ear_size: float
    neck_size: float


class SkinLook(NamedTuple):
    """Colours and texture of the skin."""

    base: Colour
    lip: Colour
    blush: float
    freckles: float
    mottle: float
    gloss: float
    age: float
    """In [0, 1]: wrinkles and folds."""
    eye_shadow: float
    """Darkness around the eyes in [0, 1]."""
    brow: Colour
    texture: int
    """Seed of the noise."""


class EyeLook(NamedTuple):
    """Colours of the iris and strength of the lashes."""

    iris: Colour
    inner: Colour
    radius: float
    lashes: float


class HairLook(NamedTuple):
    """Where hair grows, how thick it stands and how its strands run."""

    root: Colour
    tip: Colour
    present: float
    """0 for a bald head."""
    top: float
    """Thickness above the skull at the top; `side` at the sides."""
    side: float
    edge: float
    """Share of the thickness at the hairline."""
    hairline: float
    """Drop of the front hairline."""
    recede: float
    """Height of the temple recesses."""
    fringe: float
    """Drop of the front edge when hair covers the forehead."""
    skew: float
    """Slope of that edge."""
    sideburn: float
    opening: float
    """Azimuth in radians where hanging hair begins."""
    length: float
    """Height of the lower end of hanging hair; below -3 there is none."""
    flare: float
    wave: float
    curl: float
    """In [0, 1]: straight to tight curls."""
    part: float
    """Azimuth of the parting."""
    fan: float
    """In [0, 1]: strands run straight down or fan out from the parting."""
    comb: float
    """Slant of the strands."""
    density: float
    texture: int


class BeardLook(NamedTuple):
    """Facial hair: how dense it is in each region, and how long."""

    colour: Colour
    moustache: float
    chin: float
    cheek: float
    length: float
    stubble: float


class GlassesLook(NamedTuple):
    """Frame of the glasses."""

    present: float
    width: float
    height: float
    power: float
    """Exponent of the superellipse: 2 round, 5 nearly rectangular."""
    thickness: float
    colour: Colour
    tint: float


class Identity(NamedTuple):
    """Everything that belongs to a person."""

    shape: FaceShape
    skin: SkinLook
    eyes: EyeLook
    hair: HairLook
    beard: BeardLook
    glasses: GlassesLook
    smile: float
    """How readily this person smiles, in [0, 1]."""


class Expression(NamedTuple):
    """Movement of the soft parts."""

    smile: float
    open: float
    raise_brow: float
    frown: float
    lid: float
    """Factor on the height of the eye opening."""
    gaze_x: float
    gaze_y: float


class Pose(NamedTuple):
    """Angles in radians, and what is left of misalignment after the FFHQ alignment."""

    yaw: float
    pitch: float
    roll: float
    body_yaw: float
    shift_x: float
    shift_y: float
    scale: float
    tilt: float


class Light(NamedTuple):
    """A key light, a fill light and the room; directions point to the light in camera axes (y down)."""

    key_direction: Colour
    key: Colour
    fill_direction: Colour
    fill: Colour
    above: Colour
    below: Colour
    shadow: float
    """Strength of cast shadows in [0, 1]."""


class Clothes(NamedTuple):
    """Garment at the shoulders."""

    colour: Colour
    accent: Colour
    collar: int
    """0 round neck, 1 V-neck, 2 shirt collar, 3 turtleneck."""
    pattern: int
    """0 plain, 1 stripes, 2 checks, 3 knit."""
    neckline: float


class Background(NamedTuple):
    """What lies behind the person."""

    kind: int
    """0 gradient, 1 two walls, 2 lights out of focus, 3 foliage, 4 blurred room."""
    first: Colour
    second: Colour
    third: Colour
    angle: float
    offset: float
    texture: int


class Camera(NamedTuple):
    """Exposure and colour of the picture."""

    gain: Colour
    contrast: float
    saturation: float
    vignette: float


class Picture(NamedTuple):
    """Everything that changes from picture to picture of a person."""

    expression: Expression
    pose: Pose
    light: Light
    clothes: Clothes
    background: Background
    camera: Camera
    hair: HairLook
    beard: BeardLook
    glasses: GlassesLook
