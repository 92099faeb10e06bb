"""A degradation recipe: a chain of operations, each with the ranges of its random parameters."""

from dataclasses import dataclass
from typing import Any


@dataclass(kw_only=True)
class DegradationRecipe:
    """What a clean face goes through, in the order applied."""

    name: str
    """Name shown in records."""
    reference_size: int | None
    """Image side in pixels to which lengths (sigma, motion, brush) and down-sampling factors refer. On images of side s
    lengths are scaled by s / reference_size and a down-sampled side is min(s, reference_size / r), so that a face loses the
    same detail at any size; null takes both in pixels of the image at hand. At s == reference_size both are as published."""
    steps: dict[str, Any]
    """Operation -> its parameters, in the order applied; null leaves one out. The operations with their parameters, units
    and limits stand in src/degradation/operations.py; one that occurs again gets a number (`blur_2`)."""
