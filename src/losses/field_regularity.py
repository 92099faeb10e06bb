"""How rough a displacement or velocity field is: the smoothness terms of registration (codeformer_plus_plus.md 3.2, 4).

Fields are (dx, dy) in pixels of their own grid, so that first differences have no unit. Every value is a scalar, the
mean over the batch, and 0 where the grid is too small to have such differences.
"""

from typing import TypeAlias

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

Field: TypeAlias = Float[Tensor, "b 2 h w"]
Scalar: TypeAlias = Float[Tensor, ""]


def diffusion(field: Field) -> Scalar:
    """Mean squared forward difference, over x and y alike (VoxelMorph, arXiv 1809.05231)."""
    return (_mean(_along_x(field.float()).square()) + _mean(_along_y(field.float()).square())) / 2


def total_variation(field: Field) -> Scalar:
    """Mean absolute forward difference, over x and y alike: lets a field break where `diffusion` would bend it."""
    return (_mean(_along_x(field.float()).abs()) + _mean(_along_y(field.float()).abs())) / 2


def bending_energy(field: Field) -> Scalar:
    """Mean of f_xx^2 + 2 f_xy^2 + f_yy^2, in 1 / pixels^2; 0 for every affine map (Rueckert et al., IEEE TMI 1999)."""
    x, y = _along_x(field.float()), _along_y(field.float())
    return _mean(_along_x(x).square()) + 2 * _mean(_along_y(x).square()) + _mean(_along_y(y).square())


def edge_aware(field: Field, image: Float[Tensor, "b 1 h w"], sharpness: int | float) -> Scalar:
    """`diffusion` whose differences weigh exp(-sharpness |grad image|), which lets a field change along edges.

    `image` in [0, 1] on the field's grid, its gradient by forward differences per pixel; no gradient flows to it.
    """
    image = image.detach().float()
    slope = (pad(_along_x(image), (0, 1)).square() + pad(_along_y(image), (0, 0, 0, 1)).square()).sqrt()
    weight = (-sharpness * slope).exp()
    across = weight[..., :-1] * _along_x(field.float()).square()
    down = weight[..., :-1, :] * _along_y(field.float()).square()
    return (_mean(across) + _mean(down)) / 2


BLIND = {"diffusion": diffusion, "total_variation": total_variation, "bending_energy": bending_energy}
"""Terms that see the field alone."""


def irregularity(name: str, field: Field, image: Float[Tensor, "b 1 h w"], sharpness: int | float) -> Scalar:
    """The term of that name (`REGULARISERS` of src.settings.codeformer_plus_plus); the last two are for `edge_aware`.

    Raises:
        ValueError: no such name.
    """
    if name == "edge_aware":
        return edge_aware(field, image, sharpness)
    if name not in BLIND:
        raise ValueError(f"no regulariser is called {name!r}; there are {', '.join(BLIND)}, edge_aware")
    return BLIND[name](field)


def _along_x(values: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w_less"]:
    return values[..., 1:] - values[..., :-1]


def _along_y(values: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h_less w"]:
    return values[..., 1:, :] - values[..., :-1, :]


def _mean(values: Float[Tensor, "b c h w"]) -> Scalar:
    return values.sum() / max(values.numel(), 1)
