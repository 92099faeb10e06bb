"""Thin-plate splines: the smoothest displacement through given ones at control points (Bookstein 1989).

u(x) = sum_k w_k U(|x - c_k|) + a_0 + a_x x + a_y y, U(r) = r^2 log r^2, with sum w_k = 0 and sum w_k c_k = 0
(codeformer_plus_plus.md 4, R2). Lengths inside are in units of the image's longer side, so that `ridge` and the bending
energy mean the same at every size. Everything is solved in float64.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from src.registration.field import over_grid
from src.registration.registered import Field

LINE = 1e-5
"""Singular value of the columns 1, x, y, over the largest one, below which the control points count as lying on a line."""
COINCIDENT = 1e-12
"""Eigenvalue of the kernel block, over its largest entry, below which two control points count as one."""


def kernel(squared_distance: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """U as a function of r^2; 0 at 0."""
    return torch.xlogy(squared_distance, squared_distance)


def coefficients_from_values(control: Float[Tensor, "b k 2"], ridge: float | int) -> Float[Tensor, "b k+3 k"]:
    """Linear map from values at the control points to the coefficients (w_1 .. w_k, a_0, a_x, a_y).

    `ridge` is added to the diagonal of the kernel block; 0 interpolates. Values at control points that coincide are averaged;
    control points on a line leave the direction across constant.
    """
    kernel_block, polynomial = basis_functions(control, control).tensor_split([control.shape[1]], dim=2)
    identity = torch.eye(control.shape[1], dtype=control.dtype, device=control.device)
    kernel_block = kernel_block + ridge * identity
    affine_fit = torch.linalg.pinv(polynomial, rtol=LINE)
    # Weights obey the side conditions where they are orthogonal to every affine map; there the kernel is positive definite.
    orthogonal = identity - polynomial @ affine_fit
    smallest = COINCIDENT * kernel_block.abs().amax((1, 2))
    weights = torch.linalg.pinv(orthogonal @ kernel_block @ orthogonal, atol=smallest, hermitian=True)
    return torch.cat([weights, affine_fit - affine_fit @ kernel_block @ weights], dim=1)


def basis_functions(control: Float[Tensor, "b k 2"], points: Float[Tensor, "b n 2"]) -> Float[Tensor, "b n k+3"]:
    """What the coefficients weigh at each point: U(|x - c_1|) .. U(|x - c_k|), 1, x, y."""
    x, y = (points[:, :, None, axis] - control[:, None, :, axis] for axis in (0, 1))
    return torch.cat([kernel(x.square() + y.square()), torch.ones_like(points[..., :1]), points], dim=2)


def thin_plate_field(
    control: Float[Tensor, "b k 2"], values: Float[Tensor, "b k 2"], ridge: float | int, height: int, width: int
) -> Field:
    """The spline through displacements `values` at points `control`, both in pixels, on the grid of an image; float32."""
    side = max(height, width)
    nodes = control.double() / side
    coefficients = coefficients_from_values(nodes, ridge) @ values.double()

    def displacement(points: Float[Tensor, "n 2"]) -> Float[Tensor, "b n 2"]:
        return basis_functions(nodes, (points / side).expand(len(nodes), -1, -1)) @ coefficients

    return over_grid(displacement, height, width, nodes.numel(), values)


def cardinal_fields(
    control: Float[Tensor, "k 2"], ridge: float | int, height: int, width: int
) -> Float[Tensor, "k h w"]:
    """Displacement of every pixel for a displacement by 1 of each control point in turn; float32.

    For control points that stay: sum_k of these times the displacement of point k is the field, differentiable in the
    displacements.
    """
    side = max(height, width)
    nodes = control.double()[None] / side
    coefficients = coefficients_from_values(nodes, ridge)

    def responses(points: Float[Tensor, "n 2"]) -> Float[Tensor, "1 n k"]:
        return basis_functions(nodes, points[None] / side) @ coefficients

    return over_grid(responses, height, width, nodes.numel(), control)[0]


def field_from_offsets(offsets: Float[Tensor, "b k 2"], cardinal: Float[Tensor, "k h w"]) -> Field:
    """The field of displacements `offsets` of the control points of `cardinal_fields`."""
    return torch.einsum("bkd,khw->bdhw", offsets, cardinal)


def bending_matrix(control: Float[Tensor, "k 2"], ridge: float | int, side: int) -> Float[Tensor, "k k"]:
    """B of `bending_energy` for control points in pixels of an image of this (longer) side; float32."""
    nodes = control.double()[None] / side
    weights = coefficients_from_values(nodes, ridge)[0, : control.shape[0]]
    energy = weights.mT @ basis_functions(nodes, nodes)[0, :, : control.shape[0]] @ weights
    return (energy / side**2).float()


def bending_energy(offsets: Float[Tensor, "b k 2"], bending: Float[Tensor, "k k"]) -> Float[Tensor, "b"]:
    """w^T K w, summed over x and y, of the spline with these displacements in pixels; 0 for an affine map.

    No unit: with lengths in units of the image's side, the same shape has the same energy at every size.
    """
    return torch.einsum("bkd,kl,bld->b", offsets, bending, offsets)
