"""Building blocks of the diffusion UNet (difface.md 2.1; Dhariwal and Nichol, "Diffusion Models Beat GANs", 3.1)."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class Float32GroupNorm(nn.GroupNorm):
    """GroupNorm that computes in float32 and returns its input's dtype, so that half precision keeps its statistics."""

    def forward(self, feature: Float[Tensor, "b c ..."]) -> Float[Tensor, "b c ..."]:
        """Feature map of the same shape."""
        normed = F.group_norm(feature.float(), self.num_groups, self.weight.float(), self.bias.float(), self.eps)
        return normed.to(feature.dtype)


class ResidualBlock(nn.Module):
    """Two norm-SiLU-3x3 convolutions and a skip; the timestep scales and shifts the second norm's output.

    The second convolution starts at zero, so that a new block is its skip.
    """

    def __init__(self, in_channels: int, out_channels: int, embedding_width: int, norm_groups: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(
            Float32GroupNorm(norm_groups, in_channels), nn.SiLU(), nn.Conv2d(in_channels, out_channels, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding_width, 2 * out_channels))
        self.out_layers = nn.Sequential(
            Float32GroupNorm(norm_groups, out_channels),
            nn.SiLU(),
            nn.Identity(),  # the place of dropout, which is 0 as published, keeps the published key of the convolution
            _zeroed(nn.Conv2d(out_channels, out_channels, 3, padding=1)),
        )
        self.skip_connection = (
            nn.Identity() if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, kernel_size=1)
        )

    def forward(
        self, feature: Float[Tensor, "b c_in h w"], embedding: Float[Tensor, "b d"]
    ) -> Float[Tensor, "b c h w"]:
        """Feature map of the same side with `out_channels` channels."""
        hidden = self.in_layers(feature)
        scale, shift = self.emb_layers(embedding)[:, :, None, None].chunk(2, dim=1)
        norm, activation, _, convolution = self.out_layers
        return self.skip_connection(feature) + convolution(activation(norm(hidden) * (1 + scale) + shift))


class AttentionBlock(nn.Module):
    """Multi-head self-attention over all positions, added to its input; its projection starts at zero.

    The channels of `qkv` are queries, keys and values of the first head, then of the next. ValueError unless
    `head_width` divides `channels`.
    """

    def __init__(self, channels: int, head_width: int, norm_groups: int) -> None:
        super().__init__()
        if channels % head_width:
            raise ValueError(f"head_width {head_width} must divide the {channels} channels of a level with attention")
        self.heads = channels // head_width
        self.norm = Float32GroupNorm(norm_groups, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = _zeroed(nn.Conv1d(channels, channels, 1))

    def forward(self, feature: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Feature map of the same shape; tokens are positions in row-major order."""
        qkv = self.qkv(self.norm(feature).flatten(2)).unflatten(1, (self.heads, -1))
        # The fused kernels want the channels of a token side by side.
        query, key, value = qkv.transpose(2, 3).contiguous().chunk(3, dim=3)
        attended = F.scaled_dot_product_attention(query, key, value).transpose(2, 3).flatten(1, 2)
        return feature + self.proj_out(attended).unflatten(2, feature.shape[2:])


class Downsample(nn.Module):
    """Halve the side: a 3x3 convolution with stride 2, padded on all sides."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, feature: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h_half w_half"]:
        """Feature map of half the side, same channels."""
        return self.op(feature)


class ConditionedLayers(nn.ModuleList):
    """Layers one after the other; the residual blocks among them are given the timestep."""

    def forward(
        self, feature: Float[Tensor, "b c_in h_in w_in"], embedding: Float[Tensor, "b d"]
    ) -> Float[Tensor, "b c h w"]:
        """What the last layer returns."""
        for layer in self:
            feature = layer(feature, embedding) if isinstance(layer, ResidualBlock) else layer(feature)
        return feature


def _zeroed(layer: nn.Module) -> nn.Module:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
