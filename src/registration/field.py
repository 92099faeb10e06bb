"""Operations on displacement fields.

A field u stands for the map x -> x + u(x); beyond the border it keeps the border's displacement.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from src.registration.warp import pixel_grid, sampled, warped

FunctionOfPoints = Callable[[Float[Tensor, "n 2"]], Float[Tensor, "b n c"]]
"""`c` values for each of `b` faces at the same `n` points (x, y), float64."""
VALUES_AT_ONCE = 2**16
"""Float64 numbers of one temporary tensor: half a megabyte, which stays in a core's cache."""


def composed(first: Float[Tensor, "b 2 h w"], then: Float[Tensor, "b 2 h w"]) -> Float[Tensor, "b 2 h w"]:
    """The field of x -> y = x + first(x) -> y + then(y): first(x) + then(x + first(x)).

    An image that is moved by `then`, and the result by `first`, has been moved by this field.
    """
    return first + warped(then, first)


def resized(field: Float[Tensor, "b 2 h w"], height: int, width: int) -> Float[Tensor, "b 2 h_out w_out"]:
    """The same displacement on another grid, in its pixels: bilinear, the middles of the corner pixels coincide."""
    old_height, old_width = field.shape[-2:]
    if (old_height, old_width) == (height, width):
        return field
    scale = [(width - 1) / max(old_width - 1, 1), (height - 1) / max(old_height - 1, 1)]
    values = interpolate(field, size=(height, width), mode="bilinear", align_corners=True)
    return values * values.new_tensor(scale)[:, None, None]


def exponential(velocity: Float[Tensor, "b 2 h w"], squarings: int) -> Float[Tensor, "b 2 h w"]:
    """Displacement after unit time in a stationary velocity field, by scaling and squaring (Arsigny et al. 2006).

    u_0 = velocity / 2^squarings; u_{k+1}(x) = u_k(x) + u_k(x + u_k(x)) (codeformer_plus_plus.md 4, R4). The exponential of
    -velocity is the inverse.
    """
    field = velocity / 2**squarings
    for _ in range(squarings):
        field = composed(field, field)
    return field


def at_points(field: Float[Tensor, "b 2 h w"], points: Float[Tensor, "b k 2"]) -> Float[Tensor, "b k 2"]:
    """Bilinear values of the field at points (x, y), array indices; NaN where the point is NaN."""
    known = ~points.isnan().any(-1, keepdim=True)
    places = torch.where(known, points, 0).mT[..., None]
    return torch.where(known, sampled(field, places)[..., 0].mT, torch.nan)


def over_grid(
    function: FunctionOfPoints, height: int, width: int, values: int, like: Tensor
) -> Float[Tensor, "b c h_out w_out"]:
    """What is known as a function of points, at every pixel of a grid; float32, on the device of `like`.

    `values`: numbers that the function holds for each pixel, by which the pixels are split, so that memory stays bounded.
    """
    points = pixel_grid(height, width, like).flatten(1).T.double()
    chunks = points.split(max(1, VALUES_AT_ONCE // values))
    return torch.cat([function(chunk) for chunk in chunks], dim=1).mT.unflatten(2, (height, width)).float()
