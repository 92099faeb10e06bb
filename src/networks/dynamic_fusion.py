"""Dynamic fusion of two features by selective kernels (codeformer_plus_plus.md 5; arXiv 1903.06586)."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

START_LOGIT = 1.0
"""Bias of the identity branch, and minus that of the texture branch: a new module keeps the share 1 / (1 + exp(-2)), 0.88."""
START_STD = 0.01
"""Of the last weights: at zero they would hide the layer before them from the gradient."""


class Mixed(NamedTuple):
    """Two features in one."""

    feature: Float[Tensor, "b c h w"]
    weights: Float[Tensor, "b 2 c"]
    """s_F and s_T, which sum to 1."""


class DynamicFusion(nn.Module):
    """F' = s_F F + s_T T', with (s_F, s_T) = softmax over the two of MLP(mean over places of F + T'), for each channel.

    The MLP goes from c to c / reduction to 2 c. ValueError if `reduction` is more than `channels`.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        if reduction > channels:
            raise ValueError(f"reduction {reduction} must not be more than the {channels} channels that are fused")
        hidden = channels // reduction
        last = nn.Linear(hidden, 2 * channels)
        nn.init.normal_(last.weight, std=START_STD)
        with torch.no_grad():
            last.bias[:channels], last.bias[channels:] = START_LOGIT, -START_LOGIT
        self.mlp = nn.Sequential(nn.Linear(channels, hidden), nn.SiLU(), last)

    def forward(self, identity: Float[Tensor, "b c h w"], texture: Float[Tensor, "b c h w"]) -> Mixed:
        """The weighted sum of the two, and the weights."""
        pooled = (identity + texture).mean(dim=(2, 3))
        weights = self.mlp(pooled).unflatten(1, (2, -1)).softmax(dim=1)
        kept, taken = weights[..., None, None].unbind(dim=1)
        return Mixed(kept * identity + taken * texture, weights)
