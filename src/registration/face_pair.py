"""What the learned methods see of two faces."""

from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from src.losses.image_similarity import luma

PAIR_CHANNELS = MappingProxyType({"rgb": 6, "luma": 2})
"""Channels of `face_pair`, for each name of `src.settings.codeformer_plus_plus.CHANNELS`."""


def face_pair(
    moving: Float[Tensor, "b 3 h w"], fixed: Float[Tensor, "b 3 h w"], channels: str
) -> Float[Tensor, "b c h w"]:
    """Both faces as one image in [-1, 1], float32, the moving one first; `luma` keeps colour shifts out of the matching."""
    faces = (moving.float(), fixed.float())
    if channels == "luma":
        return torch.cat([2 * luma(face) - 1 for face in faces], dim=1)
    return torch.cat(faces, dim=1)
