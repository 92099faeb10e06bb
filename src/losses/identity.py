"""Identity as a training loss: the recogniser is frozen for good (codeformer_plus_plus.md 7)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

Embed = Callable[[Tensor], Tensor]
"""Faces in [-1, 1] to unit-norm embeddings "b d", with gradient."""


class IdentityLoss(nn.Module):
    """1 - mean cosine of the embeddings of two sets of faces; `name` tells the recogniser."""

    def __init__(self, name: str, network: nn.Module, embed: Embed) -> None:
        super().__init__()
        self.name = name
        self.network = network.requires_grad_(False).eval()
        self.embed = embed

    def train(self, mode: bool = True) -> "IdentityLoss":
        """Stay in eval mode."""
        return super().train(False)

    def forward(self, restored: Float[Tensor, "b 3 h w"], target: Float[Tensor, "b 3 h w"]) -> Float[Tensor, ""]:
        """The loss; gradients flow to `restored` only."""
        with torch.no_grad():
            goal = self.embed(target)
        return 1 - (self.embed(restored) * goal).sum(1).mean()
