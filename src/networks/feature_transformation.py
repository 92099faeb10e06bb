"""Controllable feature transformation (CFT) of CodeFormer."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.networks.blocks import ResidualBlock


def _affine_head(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(channels, channels, 3, padding=1),
    )


class FeatureTransformation(nn.Module):
    """Affine change of generator features, predicted from encoder and generator features (codeformer.md 1.2)."""

    def __init__(self, channels: int, norm_groups: int) -> None:
        super().__init__()
        self.encode_enc = ResidualBlock(2 * channels, channels, norm_groups)
        self.scale = _affine_head(channels)
        self.shift = _affine_head(channels)

    def forward(
        self,
        encoder_feature: Float[Tensor, "b c h w"],
        decoder_feature: Float[Tensor, "b c h w"],
        fidelity: float | Float[Tensor, ""],
    ) -> Float[Tensor, "b c h w"]:
        """dec + w (dec * scale + shift), with w = `fidelity`; usually in [0, 1]."""
        joint = self.encode_enc(torch.cat([encoder_feature, decoder_feature], dim=1))
        return decoder_feature + fidelity * (decoder_feature * self.scale(joint) + self.shift(joint))
