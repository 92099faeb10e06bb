"""Affine maps of pixels: fitted to landmarks, and as displacement fields.

A matrix "2 3" takes (x, y, 1) of the fixed face to (x, y) in the moving one.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from src.registration.registered import LandmarkPair
from src.registration.warp import pixel_grid

Matrix = Float[Tensor, "b 2 3"]
LINE = 1e-5
"""Landmarks that spread less than this across a line, of their spread along it, count as lying on it."""


def identity_matrix(batch: int, like: Tensor) -> Matrix:
    """The map that moves nothing, with dtype and device of `like`."""
    return torch.eye(2, 3, dtype=like.dtype, device=like.device).repeat(batch, 1, 1)


def affine_field(matrix: Float[Tensor, "b 2 3"], height: int, width: int) -> Float[Tensor, "b 2 h w"]:
    """A x - x for every pixel; float32. Differentiable in the matrix."""
    change = matrix - identity_matrix(len(matrix), matrix)
    places = pixel_grid(height, width, matrix).flatten(1).to(matrix.dtype)
    moved = change[:, :, :2] @ places + change[:, :, 2:]
    return moved.unflatten(2, (height, width)).float()


def fitted_affine(landmarks: LandmarkPair) -> Matrix:
    """argmin_A sum_k |A p_F,k - p_G,k|^2 (codeformer_plus_plus.md 4, R1a), float64; finite landmarks.

    Landmarks on one line, or fewer than three, leave the map free: then it is the one nearest to a plain shift.
    """
    fixed, change, middle, shift = _centred(landmarks)
    linear = (torch.linalg.pinv(fixed, rtol=LINE) @ change).mT
    return _around(linear, middle, shift)


def _centred(
    landmarks: LandmarkPair,
) -> tuple[Float[Tensor, "b k 2"], Float[Tensor, "b k 2"], Float[Tensor, "b 1 2"], Float[Tensor, "b 1 2"]]:
    """Points of the fixed face and their displacements, about their means, which follow.

    Displacements are fitted, not places, so that what landmarks leave open stays unmoved.
    """
    fixed = landmarks.fixed.double()
    change = landmarks.moving.double() - fixed
    middle, shift = fixed.mean(1, keepdim=True), change.mean(1, keepdim=True)
    return fixed - middle, change - shift, middle, shift


def _around(linear: Float[Tensor, "b 2 2"], middle: Float[Tensor, "b 1 2"], shift: Float[Tensor, "b 1 2"]) -> Matrix:
    """The map x -> x + linear (x - middle) + shift."""
    change = torch.cat([linear, (shift - middle @ linear.mT).mT], dim=2)
    return identity_matrix(len(linear), linear) + change
