"""Faces moved and bent at random, so that a detector learns to follow a feature rather than to recall its usual place."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from src.degradation.canvas import to_device
from src.degradation.keyed import SampleKey, keyed_uniforms, stream_number
from src.registration.field import at_points
from src.registration.warp import warped

MOVEMENT = stream_number("movement")
CONTROL_POINTS = 4
"""A side; neighbours are a third of the face apart."""
INVERSION_STEPS = 12
"""The error shrinks at least twofold a step for `reach` up to a sixteenth."""


class MovedFaces(NamedTuple):
    """Faces and their landmarks after the same movement."""

    faces: Float[Tensor, "b c h w"]
    points: Float[Tensor, "b k 2"]


def moved_at_random(
    faces: Float[Tensor, "b c h w"], points: Float[Tensor, "b k 2"], keys: Sequence[SampleKey], reach: float
) -> MovedFaces:
    """Each face shifted as a whole and bent smoothly, by its key; the border is repeated outside.

    `points` (x, y) in pixels; pixel i covers [i, i + 1]. Both movements stay within `reach`, a share of the side, in x and
    in y; the map is one-to-one for `reach` up to a sixteenth.
    """
    field = to_device(random_field(keys, faces.shape[-1], reach), faces.device)
    start = points - 0.5
    places = start
    for _ in range(INVERSION_STEPS):
        # The field says for each place of the moved face where to look in the face.
        places = start - at_points(field, places)
    return MovedFaces(warped(faces, field), places + 0.5)


def random_field(keys: Sequence[SampleKey], side: int, reach: float) -> Float[Tensor, "b 2 side side"]:
    """Displacements (dx, dy) in pixels of `side`: a shift, and bicubic interpolation between control points."""
    controls = 2 * CONTROL_POINTS**2
    draws = np.stack([keyed_uniforms(key, MOVEMENT, 2 + controls) for key in keys])
    moves = torch.from_numpy((2 * draws - 1) * reach * side).float()
    bends = moves[:, 2:].unflatten(1, (2, CONTROL_POINTS, CONTROL_POINTS))
    return moves[:, :2, None, None] + interpolate(bends, (side, side), mode="bicubic", align_corners=True)
