"""Head and body in camera axes, and the alignment of the picture to the FFHQ template."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from src.compiled import kernel
from src.faces.factors import Pose

UNIT = 63.0 / 512.0
"""Half an eye distance, as a share of the picture's width."""
CENTRE = (256.0 / 512.0, 240.0 / 512.0)
"""Where the middle between the eyes lies in the picture."""
TEMPLATE = ((-1.0, 0.0), (1.0, 0.0), (-0.89, 2.09), (0.89, 2.09))
"""Eyes and mouth corners of the FFHQ template in half eye distances."""
DISTANCE = 24.0
"""From the camera to the eyes; about 75 cm."""
HEAD_PIVOT = np.array([0.0, 1.6, -2.4])
BODY_PIVOT = np.array([0.0, 4.5, -2.4])


class View(NamedTuple):
    """Similarity from projected head units to samples: z -> (re + i im) z + (x + i y), after perspective."""

    re: float
    im: float
    x: float
    y: float


def rotation(yaw: float, pitch: float, roll: float) -> Float[np.ndarray, "3 3"]:
    """Turn to the image's right by `yaw`, nod down by `pitch`, then tilt clockwise by `roll` (radians)."""
    cy, sy, cp, sp, cr, sr = (f(angle) for angle in (yaw, pitch, roll) for f in (math.cos, math.sin))
    turn = np.array([[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]])
    nod = np.array([[1.0, 0.0, 0.0], [0.0, cp, sp], [0.0, -sp, cp]])
    tilt = np.array([[cr, -sr, 0.0], [sr, cr, 0.0], [0.0, 0.0, 1.0]])
    return tilt @ nod @ turn


def head_rotation(pose: Pose) -> Float[np.ndarray, "3 3"]:
    """Rotation of the head about `HEAD_PIVOT`."""
    return rotation(pose.yaw, pose.pitch, pose.roll)


def body_rotation(pose: Pose) -> Float[np.ndarray, "3 3"]:
    """Rotation of the shoulders about `BODY_PIVOT`; they follow the head's tilt a little."""
    return rotation(pose.body_yaw, 0.0, 0.2 * pose.roll)


@kernel
def rotate(points: np.ndarray, matrix: np.ndarray, pivot: np.ndarray) -> np.ndarray:
    """Points [rows, columns, 3] turned about `pivot`."""
    rows, columns, _ = points.shape
    out = np.empty_like(points)
    for r in range(rows):
        for c in range(columns):
            x, y, z = points[r, c, 0] - pivot[0], points[r, c, 1] - pivot[1], points[r, c, 2] - pivot[2]
            for i in range(3):
                out[r, c, i] = matrix[i, 0] * x + matrix[i, 1] * y + matrix[i, 2] * z + pivot[i]
    return out


def flat(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2"]:
    """Perspective projection of points in camera axes, still in head units."""
    return points[:, :2] * (DISTANCE / (DISTANCE - points[:, 2:]))


def align(anchors: Float[np.ndarray, "4 3"], pose: Pose, samples: int) -> View:
    """The view that brings eyes and mouth corners closest to the template, but for the pose's misalignment.

    `anchors` are in camera axes in the order of `TEMPLATE`; `samples` is the picture's width in samples.
    """
    source = flat(anchors) @ np.array([1.0, 1j])
    target = np.array(TEMPLATE) @ np.array([1.0, 1j])
    centred = source - source.mean()
    turn = complex(np.vdot(centred, target - target.mean()) / np.vdot(centred, centred).real)
    turn *= pose.scale * complex(math.cos(pose.tilt), math.sin(pose.tilt))
    move = complex(target.mean()) - turn * complex(source.mean()) + complex(pose.shift_x, pose.shift_y)
    unit = UNIT * samples
    return View(turn.real * unit, turn.imag * unit, move.real * unit + CENTRE[0] * samples,
                move.imag * unit + CENTRE[1] * samples)  # fmt: skip


@kernel
def to_screen(points: np.ndarray, view: View) -> np.ndarray:
    """Samples x, y and depth [rows, columns, 3] of points in camera axes."""
    rows, columns, _ = points.shape
    out = np.empty_like(points)
    for r in range(rows):
        for c in range(columns):
            near = DISTANCE / (DISTANCE - points[r, c, 2])
            x, y = points[r, c, 0] * near, points[r, c, 1] * near
            out[r, c, 0] = view.re * x - view.im * y + view.x
            out[r, c, 1] = view.im * x + view.re * y + view.y
            out[r, c, 2] = points[r, c, 2]
    return out


def points_on_screen(points: Float[np.ndarray, "n 3"], view: View) -> Float[np.ndarray, "n 2"]:
    """Samples x, y of points in camera axes."""
    return to_screen(points[None], view)[0, :, :2]
