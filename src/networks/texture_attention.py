"""Texture attention module (TAM) of CodeFormer++: how much of each texture feature is taken (codeformer_plus_plus.md 5)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class TextureAttention(nn.Module):
    """A = sigmoid(conv3(SiLU(conv3(concat(F, T, |F - T|))))), for each place and channel.

    The difference lets it refuse texture where the registration is wrong. The equation is this suite's choice.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3 * channels, channels, 3, padding=1), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1)
        )

    def forward(
        self, identity: Float[Tensor, "b c h w"], texture: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, "b c h w"]:
        """Attention A in [0, 1] of the texture feature T, beside the identity feature F."""
        return self.layers(torch.cat([identity, texture, (identity - texture).abs()], dim=1)).sigmoid()
