"""Negatives of metric learning: faces that lack texture or have the wrong components.

Source: codeformer_plus_plus.md, section 6 (N1 to N4). All images RGB in [-1, 1].
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from src.losses.image_similarity import gaussian_blur
from src.metric_learning.face_scale import at_width
from src.metric_learning.positive import Image, Mask, paste


def constructed_negatives(
    names: Sequence[str], identity: Image, generative: Image, mask: Mask, blur: int | float
) -> dict[str, Float[Tensor, "b 3 h w"]]:
    """The negatives that `names` of `src.settings.codeformer_plus_plus.NEGATIVES` name, in their order.

    `identity_branch` (N1): the person without texture. `generative_branch` (N2): texture in the wrong geometry, as it is not
    registered. `mirrored` (N3): the opposite of the positive, components of `generative` in the texture of `identity`.
    `blurred` (N4): `identity` blurred again, deviation `blur` in pixels of a face of 512. ValueError for another name.
    """
    return {name: _negative(name, identity, generative, mask, blur) for name in names}


def _negative(name: str, identity: Image, generative: Image, mask: Mask, blur: int | float) -> Image:
    match name:
        case "identity_branch":
            return identity
        case "generative_branch":
            return generative
        case "mirrored":
            return paste(generative, identity, mask)
        case "blurred":
            return gaussian_blur(identity, at_width(blur, identity.shape[-1]))
    raise ValueError(f"negative {name!r} is not one of identity_branch, generative_branch, mirrored, blurred")
