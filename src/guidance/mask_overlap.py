"""Which parts of the face a latent mask lies on: its intersection over union with each of them (clr_face.md 6)."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Integer
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from src.faces.parts import Part

FacePlane = Float[Tensor, "b 1 h_face w_face"]

COMPONENTS = {
    "brows": (Part.BROW,),
    "eyes": (Part.EYE,),
    "glasses": (Part.GLASSES,),
    "nose": (Part.NOSE,),
    "mouth": (Part.LIP, Part.MOUTH),
    "skin": (Part.SKIN, Part.EAR, Part.BEARD, Part.NECK),
    "hair": (Part.HAIR,),
    "surroundings": (Part.BACKGROUND, Part.CLOTHES),
}
"""Components of rendered faces; every pixel belongs to one."""


def component_planes(parts: Integer[Tensor, "b h_face w_face"]) -> dict[str, FacePlane]:
    """The `COMPONENTS` of rendered faces, each 0 or 1; `parts` are values of `src.faces.parts.Part`."""
    return {
        name: torch.isin(parts, parts.new_tensor([int(part) for part in own]))[:, None].float()
        for name, own in COMPONENTS.items()
    }


def component_overlap(
    mask: Float[Tensor, "b c h w"], components: Mapping[str, FacePlane]
) -> dict[str, Float[Tensor, "b"]]:
    """IoU in [0, 1] of each face's mask with each component's plane, area-averaged to the latent; all channels together.

    NaN where a face lacks the component.
    """
    return {name: intersection_over_union(mask, _on_grid(mask, plane)) for name, plane in components.items()}


def intersection_over_union(mask: Float[Tensor, "b c h w"], region: Float[Tensor, "b c h w"]) -> Float[Tensor, "b"]:
    """sum min(m, r) / sum max(m, r) of weights in [0, 1], the usual ratio for binary ones; NaN for an empty region."""
    mask, region = mask.float(), region.float()
    intersection = torch.minimum(mask, region).sum((1, 2, 3))
    union = torch.maximum(mask, region).sum((1, 2, 3))
    return torch.where(region.flatten(1).any(1), intersection / union, torch.nan)


def _on_grid(mask: Float[Tensor, "b c h w"], plane: FacePlane) -> Float[Tensor, "b c h w"]:
    return adaptive_avg_pool2d(plane.float(), (mask.shape[2], mask.shape[3])).expand_as(mask)
