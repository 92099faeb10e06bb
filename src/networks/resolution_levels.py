"""The resolutions of a convolutional encoder and decoder with their widths, from the network's sizes."""

from typing import NamedTuple

from src.settings.scale import DiffusionUnetSize, VqAutoencoderSize


class ResolutionLevel(NamedTuple):
    """One resolution of encoder and generator."""

    side: int
    """Side of the feature maps, pixels, for an input of `image_size`."""
    channels: int
    attends: bool
    """Whether every residual block of the level is followed by self-attention."""


def resolution_levels(size: VqAutoencoderSize | DiffusionUnetSize) -> list[ResolutionLevel]:
    """Levels from the image's resolution down to the coarsest; each halves the side (codeformer.md 1.1, difface.md 2.1).

    Raises ValueError if the side cannot be halved that often, or if an attention size is none of the resolutions.
    """
    halvings = len(size.multipliers) - 1
    if halvings < 0 or size.image_size % 2**halvings:
        raise ValueError(f"image_size {size.image_size} cannot be halved {halvings} times ({size.multipliers=})")
    sides = [size.image_size >> level for level in range(halvings + 1)]
    unknown = sorted(set(size.attention_sizes) - set(sides))
    if unknown:
        raise ValueError(f"attention_sizes {unknown} are none of the resolutions {sides}")
    return [
        ResolutionLevel(side, size.width * multiplier, side in size.attention_sizes)
        for side, multiplier in zip(sides, size.multipliers, strict=True)
    ]


def latent_side(size: VqAutoencoderSize) -> int:
    """Side of the latent, positions, for an input of `image_size`."""
    return resolution_levels(size)[-1].side
