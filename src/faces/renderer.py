"""A rendered face with its exact ground truth, as a function of numbers alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, UInt8

from src.faces.body import bend, neck_mesh, torso_mesh
from src.faces.ears import ear_mesh
from src.faces.factors import Identity, Picture
from src.faces.features import Features, resolve
from src.faces.glasses import glasses_mesh
from src.faces.hair import hair_mesh, hair_tangents, hair_values
from src.faces.identity import draw_identity
from src.faces.landmarks import five_points, frontal_points, jaw_points, on_surface
from src.faces.picture import draw_picture
from src.faces.pose import (
    BODY_PIVOT,
    HEAD_PIVOT,
    UNIT,
    View,
    align,
    body_rotation,
    head_rotation,
    points_on_screen,
    rotate,
    to_screen,
)
from src.faces.raster import empty_buffer, rasterise
from src.faces.records import record
from src.faces.shading import EAR, HEAD, INNER_HAIR, NECK, TORSO, Scene, shade
from src.faces.shadow import CELLS, cast, light_axes, lit_share
from src.faces.surface import face_cuts, head_mesh, normals

SMALLEST, LARGEST = 32, 512


@dataclass(frozen=True)
class RenderedFace:
    """A picture and what it shows.

    Landmarks are (x, y) in pixels; pixel i covers [i, i + 1], so they scale with the size.
    """

    image: UInt8[np.ndarray, "s s 3"]
    """RGB."""
    landmarks5: Float32[np.ndarray, "5 2"]
    """Left eye, right eye, nose tip, left and right mouth corner, in image order."""
    landmarks68: Float32[np.ndarray, "68 2"]
    """iBUG order."""
    parts: UInt8[np.ndarray, "s s"]
    """Values of `Part`."""
    identity: int


@dataclass(frozen=True)
class _Posed:
    """A mesh in camera axes and on the screen."""

    points: Float[np.ndarray, "r c 3"]
    normals: Float[np.ndarray, "r c 3"]
    screen: Float[np.ndarray, "r c 3"]


def _posed(points: Float[np.ndarray, "r c 3"], view: View, side: float = 1.0) -> _Posed:
    return _Posed(points, normals(points) * side, to_screen(points, view))


def samples_per_pixel(size: int) -> int:
    """Samples to a side of a pixel: more for small pictures, whose pixels hold more detail."""
    return max(2, -(-128 // size))


def _attributes(rest: Float[np.ndarray, "r c n"], posed: _Posed, lit: Float[np.ndarray, "r c"]) -> np.ndarray:
    values = np.zeros((*lit.shape, 7))
    values[..., : rest.shape[2]] = rest
    values[..., 3:6] = posed.normals
    values[..., 6] = lit
    return values


class _Stage:
    """The meshes of one picture, placed in front of the camera."""

    def __init__(self, person: Identity, shot: Picture, samples: int) -> None:
        self.person, self.shot = person, shot
        self.f: Features = resolve(person.shape, shot.expression)
        self.features, self.light = record(self.f), record(shot.light)
        self.turn, self.body_turn = head_rotation(shot.pose), body_rotation(shot.pose)
        self.rest = head_mesh(face_cuts(self.f), self.features, record(shot.beard))
        self.view = align(self._anchors(), shot.pose, samples)
        self.head = _posed(rotate(self.rest, self.turn, HEAD_PIVOT), self.view)
        self.axes = light_axes(shot.light.key_direction)
        self.depth = np.full((CELLS, CELLS), -1e6)

    def _anchors(self) -> Float[np.ndarray, "4 3"]:
        f = self.f
        places = [(-f.eye_x, 0.0), (f.eye_x, 0.0), (-f.mouth_w, f.corner_y), (f.mouth_w, f.corner_y)]
        return self.turned(on_surface(self.rest, np.array(places)))

    def turned(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Points of the head in camera axes."""
        return rotate(points[None], self.turn, HEAD_PIVOT)[0]

    def lit(self, posed: _Posed) -> Float[np.ndarray, "r c"]:
        """Share of the key light at the vertices."""
        return lit_share(posed.points, self.axes, self.depth)

    def draw_hair(self, outer: Float32[np.ndarray, "s s 9"], solid: Float32[np.ndarray, "s s 9"]) -> None:
        """Draw the hair and let it cast its shadow; the inner side of full hair is a solid thing."""
        look = self.shot.hair
        if look.present <= 0.0:
            return
        mesh, strands, inside = hair_mesh(self.f.width, record(look))
        posed = _posed(rotate(mesh, self.turn, HEAD_PIVOT), self.view)
        cast(posed.points, inside, self.axes, 2, self.depth)
        lit = self.lit(posed)
        tangents = hair_tangents(posed.points, strands)
        values = hair_values(strands, inside, posed.normals, tangents, lit, self.light)
        rasterise(posed.screen, values, 1.0, 1, 2, outer)
        if look.length > -3.0 or (look.side > 0.06 and look.hairline > -0.6):
            rasterise(posed.screen, values, INNER_HAIR, -1, 2, solid)

    def draw_solids(self, buffer: Float32[np.ndarray, "s s 9"]) -> None:
        """Draw head, ears, neck and shoulders."""
        rasterise(self.head.screen, _attributes(self.rest, self.head, self.lit(self.head)), HEAD, 1, -1, buffer)
        for side in (-1.0, 1.0):
            mesh, local = ear_mesh(side, 0.96 * self.f.width, self.person.shape.ear_size)
            ear = _posed(rotate(mesh, self.turn, HEAD_PIVOT), self.view, -1.0)
            rasterise(ear.screen, _attributes(local, ear, self.lit(ear)), EAR, 0, -1, buffer)
        neck = neck_mesh(self.person.shape.neck_size)
        bent = bend(neck, rotate(neck, self.turn, HEAD_PIVOT), rotate(neck, self.body_turn, BODY_PIVOT))
        posed = _posed(bent, self.view)
        rasterise(posed.screen, _attributes(neck, posed, self.lit(posed)), NECK, 1, -1, buffer)
        torso = torso_mesh(self.person.shape.neck_size)
        posed = _posed(rotate(torso, self.body_turn, BODY_PIVOT), self.view)
        rasterise(posed.screen, _attributes(torso, posed, self.lit(posed)), TORSO, 1, -1, buffer)

    def draw_glasses(self, buffer: Float32[np.ndarray, "s s 9"]) -> None:
        """Draw the sheet that holds the glasses, if they are worn."""
        if self.shot.glasses.present > 0.0:
            mesh, unrolled = glasses_mesh(self.f.width)
            posed = _posed(rotate(mesh, self.turn, HEAD_PIVOT), self.view)
            lit = np.ones(mesh.shape[:2])
            rasterise(posed.screen, _attributes(unrolled, posed, lit), 1.0, 0, -1, buffer)

    def scene(self) -> Any:
        """What the samples' colours depend on, as a record."""
        person, shot = self.person, self.shot
        return record(Scene(
            self.f, shot.expression, person.skin, person.eyes, shot.hair, shot.beard, shot.glasses, shot.light,
            shot.clothes, shot.background, shot.camera,
        ))  # fmt: skip

    def landmarks(self) -> Float[np.ndarray, "68 2"]:
        """iBUG points in samples."""
        inner = points_on_screen(self.turned(on_surface(self.rest, frontal_points(self.features))), self.view)
        return np.concatenate([jaw_points(self.rest, self.head.screen, self.f.chin_y), inner])


def _checked(name: str, value: int, low: int, high: int | None = None) -> None:
    if value < low or (high is not None and value > high):
        limits = f"at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name} is {value}; expected a whole number {limits}.")


def render_face(seed: int, identity: int, picture: int, size: int) -> RenderedFace:
    """Picture number `picture` of person number `identity` of population `seed`, `size` pixels wide and high.

    The same numbers give the same bytes. Geometry and appearance do not depend on `size` (32 to 512). Eyes and mouth
    lie near the FFHQ template scaled by size / 512.

    Raises:
        ValueError: `size` is out of range or another number is negative.
    """
    _checked("size", size, SMALLEST, LARGEST)
    for name, value in (("seed", seed), ("identity", identity), ("picture", picture)):
        _checked(name, value, 0)
    person = draw_identity(seed, identity)
    shot = draw_picture(seed, identity, picture, person)
    factor = samples_per_pixel(size)
    samples = size * factor
    stage = _Stage(person, shot, samples)
    solid, hair, sheet = (empty_buffer(samples) for _ in range(3))
    cast(stage.head.points, np.ones(stage.head.points.shape[:2]), stage.axes, 2, stage.depth)
    stage.draw_hair(hair, solid)
    stage.draw_solids(solid)
    stage.draw_glasses(sheet)
    image, parts = shade(solid, hair, sheet, stage.scene(), 1.0 / (UNIT * samples), factor)
    points = stage.landmarks() / factor
    return RenderedFace(image, five_points(points).astype(np.float32), points.astype(np.float32), parts, identity)
