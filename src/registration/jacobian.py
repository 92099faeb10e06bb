"""How a displacement field stretches and folds: the Jacobian determinant of x -> x + phi(x)."""

import torch
from jaxtyping import Float
from torch import Tensor

SMALLEST_DETERMINANT = 1e-9
"""Below it a pixel's area counts as this in logarithms."""


def determinant(field: Float[Tensor, "b 2 h w"]) -> Float[Tensor, "b h-1 w-1"]:
    """det J by forward differences: the factor of area at each pixel, 1 where nothing moves, at most 0 at a fold."""
    origin = field[..., :-1, :-1]
    along_x, along_y = field[..., :-1, 1:] - origin, field[..., 1:, :-1] - origin
    return (1 + along_x[:, 0]) * (1 + along_y[:, 1]) - along_x[:, 1] * along_y[:, 0]


def folded_share(field: Float[Tensor, "b 2 h w"]) -> Float[Tensor, "b"]:
    """Share of the pixels with det J <= 0."""
    return (determinant(field) <= 0).float().mean((1, 2))


def log_determinant_deviation(field: Float[Tensor, "b 2 h w"]) -> Float[Tensor, "b"]:
    """Standard deviation over the pixels of log |det J|: 0 where all areas grow alike."""
    return determinant(field).abs().clamp(min=SMALLEST_DETERMINANT).log().std((1, 2), correction=0)


def folding_penalty(field: Float[Tensor, "b 2 h w"]) -> Float[Tensor, ""]:
    """mean relu(-det J) (codeformer_plus_plus.md 3.2)."""
    return torch.relu(-determinant(field)).mean()
