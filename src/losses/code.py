"""Losses on predicted codes and their accuracy (codeformer.md 2.1)."""

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

Scalar = Float[Tensor, ""]


def token_loss(logits: Float[Tensor, "b n k"], codes: Int[Tensor, "b h w"]) -> Scalar:
    """Mean cross-entropy over all tokens; token t = width * row + column."""
    return cross_entropy(logits.float().flatten(0, 1), codes.flatten().long())


def feature_loss(latent: Float[Tensor, "b d h w"], target: Float[Tensor, "b d h w"]) -> Scalar:
    """Mean squared distance of the encoder output to the codebook entries of the target codes (no gradient to those)."""
    return mse_loss(latent.float(), target.detach().float())


def code_accuracy(logits: Float[Tensor, "b n k"], codes: Int[Tensor, "b h w"], top: int) -> Scalar:
    """Share of tokens whose target is among the `top` largest logits; chance is top / k."""
    best = logits.topk(top, dim=-1).indices
    return (best == codes.flatten(1).unsqueeze(-1)).any(-1).float().mean()
