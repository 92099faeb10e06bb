"""Triplet loss on cosines with the hardest negative of each face (codeformer_plus_plus.md, section 6; arXiv 1503.03832)."""

from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import relu


class Triplets(NamedTuple):
    """The loss over a batch of triplets, and what to watch."""

    loss: Float[Tensor, ""]
    active: Float[Tensor, ""]
    """Share of the triplets, one a face and layer, that are within the margin: those that have a gradient."""
    hardest: Int[Tensor, "b"]
    """Which negative each face was compared with."""


def triplet_loss(
    positive: Float[Tensor, "b layers"], negatives: Float[Tensor, "n b layers"], margin: float
) -> Triplets:
    """Mean over faces and layers of max(0, margin - cos(anchor, positive) + cos(anchor, hardest negative)).

    Takes cosines to the anchor. The hardest negative of a face has the highest mean over layers of them; it is the same one
    in all layers.
    """
    hardest = negatives.detach().mean(2).argmax(0)
    chosen = negatives.gather(0, hardest[None, :, None].expand(1, *positive.shape))[0]
    violation = relu(margin - positive + chosen)
    return Triplets(violation.mean(), (violation.detach() > 0).float().mean(), hardest)
