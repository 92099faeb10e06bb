"""Additive angular margin loss (ArcFace, arXiv 1801.07698, equation 3)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, one_hot


def angular_margin_loss(
    embedding: Float[Tensor, "b d"],
    centres: Float[Tensor, "classes d"],
    labels: Int[Tensor, "b"],
    margin: float,
    scale: float,
) -> Float[Tensor, ""]:
    """Cross-entropy over s cos(theta_j + m [j = y]) with theta_j the angle between embedding and class centre j.

    `embedding` has unit norm, `centres` are normalised here; `margin` in radians, the widened angle at most pi.
    """
    cosine = (embedding.float() @ normalize(centres.float()).T).clamp(-1 + 1e-7, 1 - 1e-7)
    is_own = one_hot(labels.long(), centres.shape[0]).bool()
    widened = torch.cos((torch.arccos(cosine) + margin).clamp(max=torch.pi))
    return cross_entropy(scale * torch.where(is_own, widened, cosine), labels.long())
