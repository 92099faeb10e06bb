"""Building blocks of the VQ autoencoder's encoder and generator (codeformer.md 1.1)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

NORM_EPS = 1e-6


def group_norm(groups: int, channels: int) -> nn.GroupNorm:
    """GroupNorm with the epsilon of the published networks. ValueError if `groups` does not divide `channels`."""
    return nn.GroupNorm(groups, channels, eps=NORM_EPS)


class ResidualBlock(nn.Module):
    """Two norm-SiLU-3x3 convolutions and a skip, which is a 1x1 convolution only where the width changes.

    With `recomputes` the backward pass computes the block again instead of keeping what is inside.
    """

    recomputes = False

    def __init__(self, in_channels: int, out_channels: int, norm_groups: int) -> None:
        super().__init__()
        self.norm1 = group_norm(norm_groups, in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm2 = group_norm(norm_groups, out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.conv_out = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else None

    def forward(self, feature: Float[Tensor, "b c_in h w"]) -> Float[Tensor, "b c_out h w"]:
        """Feature map of the same side with `out_channels` channels."""
        if self.recomputes and torch.is_grad_enabled():
            return checkpoint(self._computed, feature, use_reentrant=False, preserve_rng_state=False)
        return self._computed(feature)

    def _computed(self, feature: Tensor) -> Tensor:
        hidden = self.conv1(F.silu(self.norm1(feature)))
        hidden = self.conv2(F.silu(self.norm2(hidden)))
        skip = feature if self.conv_out is None else self.conv_out(feature)
        return hidden + skip


class AttentionBlock(nn.Module):
    """Single-head self-attention over all positions, added to its input."""

    def __init__(self, channels: int, norm_groups: int) -> None:
        super().__init__()
        self.norm = group_norm(norm_groups, channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, feature: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Feature map of the same shape; the softmax runs over keys of q.k / sqrt(c)."""
        normed = self.norm(feature)
        query, key, value = (layer(normed).flatten(2).transpose(1, 2) for layer in (self.q, self.k, self.v))
        attended = F.scaled_dot_product_attention(query, key, value)
        return feature + self.proj_out(attended.transpose(1, 2).reshape(feature.shape))


class Downsample(nn.Module):
    """Halve the side: zero padding right and bottom only, then a 3x3 convolution with stride 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, feature: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h_half w_half"]:
        """Feature map of half the side, same channels."""
        return self.conv(F.pad(feature, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Double the side: nearest neighbour, then a 3x3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, feature: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h_double w_double"]:
        """Feature map of twice the side, same channels."""
        return self.conv(F.interpolate(feature, scale_factor=2.0, mode="nearest"))
