"""Transformer layer with which CodeFormer predicts codes."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class CodePredictorLayer(nn.Module):
    """Pre-norm Transformer encoder layer that adds the position to queries and keys only (codeformer.md 1.2).

    The feed-forward width is twice `dim`; exact GELU, no dropout, no mask. ValueError unless `heads` divides `dim`.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"heads {heads} must divide dim {dim}")
        self.self_attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.linear1 = nn.Linear(dim, 2 * dim)
        self.linear2 = nn.Linear(2 * dim, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)

    def forward(self, tokens: Float[Tensor, "b n c"], position: Float[Tensor, "n c"]) -> Float[Tensor, "b n c"]:
        """Tokens of the same shape."""
        normed = self.norm1(tokens)
        placed = normed + position
        # Without the averaged weights torch takes its fused attention.
        attended, _ = self.self_attn(placed, placed, normed, need_weights=False)
        tokens = tokens + attended
        return tokens + self.linear2(F.gelu(self.linear1(self.norm2(tokens))))
