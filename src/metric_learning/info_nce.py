"""InfoNCE on cosines with all negatives of a face (arXiv 1807.03748; codeformer_plus_plus.md, section 6)."""

import torch
from jaxtyping import Float
from torch import Tensor


def info_nce_loss(
    positive: Float[Tensor, "b layers"], negatives: Float[Tensor, "n b layers"], temperature: float
) -> Float[Tensor, ""]:
    """Mean over faces and layers of -log(e^(p / t) / (e^(p / t) + sum over negatives of e^(n / t))), t = `temperature`.

    Takes the cosines p and n to the anchor; negatives of other faces do not count.
    """
    logits = torch.cat([positive[None], negatives]) / temperature
    return -logits.log_softmax(0)[0].mean()
