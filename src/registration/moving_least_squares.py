"""Image deformation by moving least squares, affine case (Schaefer, McPhail and Warren 2006, section 2.1)."""

import torch
from jaxtyping import Float
from torch import Tensor

from src.registration.field import over_grid
from src.registration.registered import Field, LandmarkPair

SMALLEST_SQUARED_DISTANCE = 1e-8
"""Square pixels from which on a pixel counts as lying on its landmark."""
LINE = 1e-9
"""Landmarks whose weighted spread across a line is less than this, of that along it, count as lying on it."""


def moving_least_squares_field(landmarks: LandmarkPair, falloff: float | int, height: int, width: int) -> Field:
    """At every pixel the displacement of the affine map that fits the landmarks best around it; float32.

    A landmark at distance d has weight 1 / d^(2 falloff), so that the field interpolates the landmarks, and reproduces an
    affine map. Finite landmarks; where they lie on a line, the direction across keeps its scale.
    """
    fixed = landmarks.fixed.double()
    change = landmarks.moving.double() - fixed

    def displacement(points: Float[Tensor, "n 2"]) -> Float[Tensor, "b n 2"]:
        # Seen from the pixel, not from the image's corner, so that a landmark close by is not lost in rounding.
        x, y = (fixed[:, None, :, axis] - points[:, None, axis] for axis in (0, 1))
        return local_displacement(x, y, change, _weights(x, y, falloff))

    return over_grid(displacement, height, width, fixed.numel(), fixed)


def local_displacement(
    x: Float[Tensor, "b n k"],
    y: Float[Tensor, "b n k"],
    change: Float[Tensor, "b k 2"],
    weights: Float[Tensor, "b n k"],
) -> Float[Tensor, "b n 2"]:
    """At n points, from where k landmarks are as seen from there, their displacements, and weights that sum to 1."""
    middle = torch.stack([(weights * x).sum(2), (weights * y).sum(2)], dim=-1)
    shift = weights @ change
    arm_x, arm_y = x - middle[..., :1], y - middle[..., 1:]
    weighted_x, weighted_y = weights * arm_x, weights * arm_y
    xx, xy, yy = ((weighted_x * arm_x).sum(2), (weighted_x * arm_y).sum(2), (weighted_y * arm_y).sum(2))
    covariance = torch.stack([_covariance(weighted_x, change, shift), _covariance(weighted_y, change, shift)], dim=2)
    slopes = _inverse(xx, xy, yy) @ covariance
    return shift - (middle[:, :, None] @ slopes)[:, :, 0]


def _covariance(
    weighted: Float[Tensor, "b n k"], change: Float[Tensor, "b k 2"], shift: Float[Tensor, "b n 2"]
) -> Float[Tensor, "b n 2"]:
    """Of arms and displacements. The weighted arms sum to 0 but for rounding, which next to a landmark would outweigh all."""
    return weighted @ change - shift * weighted.sum(2, keepdim=True)


def _weights(x: Float[Tensor, "b n k"], y: Float[Tensor, "b n k"], falloff: float | int) -> Float[Tensor, "b n k"]:
    squared_distance = (x.square() + y.square()).clamp(min=SMALLEST_SQUARED_DISTANCE)
    relative = (squared_distance.amin(2, keepdim=True) / squared_distance) ** falloff
    return relative / relative.sum(2, keepdim=True)


def _inverse(xx: Float[Tensor, "b n"], xy: Float[Tensor, "b n"], yy: Float[Tensor, "b n"]) -> Float[Tensor, "b n 2 2"]:
    """Of symmetric matrices, in closed form; of a singular one nearly the pseudo-inverse."""
    ridge = LINE * (xx + yy) + torch.finfo(xx.dtype).tiny ** 0.25
    xx, yy = xx + ridge, yy + ridge
    adjugate = torch.stack([yy, -xy, -xy, xx], dim=-1).unflatten(-1, (2, 2))
    return adjugate / (xx * yy - xy.square())[..., None, None]
