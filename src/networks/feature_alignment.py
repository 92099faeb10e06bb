"""Alignment of feature maps: registration inside the fusion network (codeformer_plus_plus.md 4, R5, R5b and R8)."""

from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


class Aligned(NamedTuple):
    """A moving feature map, brought onto a fixed one."""

    feature: Float[Tensor, "b c h w"]
    field: Float[Tensor, "b 2 h w"] | None
    """Mean displacement (dx, dy) from each position to where its feature came from, pixels of the feature map."""
    penalty: Float[Tensor, ""]
    """What the alignment wants small; 0 where there is nothing."""


@runtime_checkable
class FeatureAlignment(Protocol):
    """A way to align feature maps (`nn.Module`)."""

    def __call__(self, moving_feature: Tensor, fixed_feature: Tensor, field: Tensor | None = None) -> Aligned:
        """Both maps "b c h w"; `field` "b 2 h w", pixels of these maps, is the face's own registration."""
