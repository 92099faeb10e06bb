"""What every registration gives: the moved face, the field that moved it, and what is to be compared in training."""

from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

Image = Float[Tensor, "b c h w"]
Field = Float[Tensor, "b 2 h w"]
"""Displacement phi in pixels, (dx, dy), on the grid of the fixed face: warped(x) = moving(x + phi(x))."""
Points = Float[Tensor, "b k 2"]
"""(x, y) as array indices: the middle of the pixel in row i and column j is (j, i)."""


class LandmarkPair(NamedTuple):
    """The same landmarks of both faces; NaN in a face whose landmarks were not found."""

    moving: Float[Tensor, "b k 2"]
    fixed: Float[Tensor, "b k 2"]


class Alignment(NamedTuple):
    """One comparison of a moved face with the fixed one, at some resolution."""

    moved: Float[Tensor, "b c h_level w_level"]
    fixed: Float[Tensor, "b c h_level w_level"]
    smooth: Float[Tensor, "b 2 h_field w_field"] | None
    """The field that is to be smooth, pixels of its own grid; None where nothing is."""
    weight: float


class Registered(NamedTuple):
    """A moving face, brought onto a fixed one."""

    warped: Float[Tensor, "b c h w"]
    field: Float[Tensor, "b 2 h w"] | None
    """None where nothing moved (method `none`)."""
    alignments: tuple[Alignment, ...]
    """What the objective compares; empty where nothing is learned."""
    penalties: dict[str, Tensor]
    """Terms of the method's own, by name, unweighted scalars; beside them the objective needs nothing of the method."""
    inverse: Float[Tensor, "b 2 h w"] | None = None
    """The field that undoes `field`, on the grid of the moving face, where the method knows it."""


@runtime_checkable
class Registration(Protocol):
    """A registration method (`nn.Module`); `landmarks` are needed by the closed forms alone."""

    def __call__(self, moving: Tensor, fixed: Tensor, landmarks: LandmarkPair | None = None) -> Registered:
        """`moving` and `fixed` "b c h w" in [-1, 1]; the result is on the grid of `fixed`."""
