"""A registration's field as columns of a face grid."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from src.data.levels import to_levels, to_network
from src.faces.field_picture import field_wheel, warped_grid

LONGEST = 1 / 32
"""Displacement, in sides of the face, at which the colours are full; the same in all runs, so that their grids compare."""
GRID_LINES = 8


def field_columns(
    moving: Float[Tensor, "b 3 h w"], field: Float[Tensor, "b 2 h w"] | None
) -> dict[str, Float[Tensor, "b 3 h w"]]:
    """The field as colours of the optical-flow wheel, and a grid over the moving face where it is fetched from."""
    side = moving.shape[-1]
    fields = np.zeros((len(moving), 2, side, side), np.float32) if field is None else field.float().cpu().numpy()
    faces = to_levels(moving).permute(0, 2, 3, 1).cpu().numpy()
    wheels = [field_wheel(one, side * LONGEST) for one in fields]
    grids = [warped_grid(face, one, side // GRID_LINES) for face, one in zip(faces, fields, strict=True)]
    return {f"field ({side * LONGEST:g} px)": _images(wheels, moving), "grid": _images(grids, moving)}


def _images(pictures: list[np.ndarray], like: Tensor) -> Float[Tensor, "b 3 h w"]:
    levels = torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2).copy())
    return to_network(levels).to(like.device)
