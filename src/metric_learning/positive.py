"""Positives of metric learning: the components of the identity-preserving face in the texture of the registered one.

Source: codeformer_plus_plus.md, section 6 (P1 to P3). All images RGB in [-1, 1]; masks are 1 on components.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from src.losses.image_similarity import gaussian_blur
from src.metric_learning.face_scale import at_width

Image = Float[Tensor, "b 3 h w"]
Mask = Float[Tensor, "b 1 h w"]

LEVELS = 4
"""Of the Laplacian pyramid: three bands and what is left."""


def constructed_positive(
    kind: str, identity: Image, warped: Image, mask: Mask, cutoff: int | float
) -> Float[Tensor, "b 3 h w"]:
    """The positive that `kind` of `src.settings.codeformer_plus_plus.POSITIVES` names.

    `cutoff` of `frequency`: deviation in pixels of a face of 512. ValueError for another kind.
    """
    match kind:
        case "paste":
            return paste(identity, warped, mask)
        case "frequency":
            return frequency_split(identity, warped, mask, at_width(cutoff, identity.shape[-1]))
        case "laplacian":
            return laplacian_blend(identity, warped, mask)
    raise ValueError(f"positive {kind!r} is not one of paste, frequency, laplacian")


def paste(inner: Image, outer: Image, mask: Mask) -> Image:
    """P1: mask * inner + (1 - mask) * outer."""
    return mask * inner + (1 - mask) * outer


def frequency_split(identity: Image, warped: Image, mask: Mask, sigma: int | float) -> Image:
    """P2: low frequencies of `identity` on components and of `warped` elsewhere, high frequencies of `warped` everywhere.

    Low frequencies are what a Gaussian of deviation `sigma` (pixels) leaves. May go slightly beyond [-1, 1].
    """
    low = gaussian_blur(warped, sigma)
    return paste(gaussian_blur(identity, sigma), low, mask) + (warped - low)


def laplacian_blend(identity: Image, warped: Image, mask: Mask, levels: int = LEVELS) -> Image:
    """P3: P1 of every level of Laplacian pyramids, with the mask at the level's size (Burt and Adelson 1983).

    Seams are as wide as the structures on them. May go slightly beyond [-1, 1].
    """
    if levels == 1:
        return paste(identity, warped, mask)
    coarse_identity, coarse_warped = _halved(identity), _halved(warped)
    bands = paste(identity - _like(coarse_identity, identity), warped - _like(coarse_warped, warped), mask)
    blended = laplacian_blend(coarse_identity, coarse_warped, _halved(mask), levels - 1)
    return bands + _like(blended, identity)


def _halved(image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h_half w_half"]:
    size = [(side + 1) // 2 for side in image.shape[-2:]]
    return interpolate(image, size, mode="bilinear", antialias=True)


def _like(image: Float[Tensor, "b c h w"], other: Tensor) -> Float[Tensor, "b c h_other w_other"]:
    return interpolate(image, other.shape[-2:], mode="bilinear")
