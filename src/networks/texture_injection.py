"""Ways to bring texture features into identity features: the method's, and its ablations (codeformer_plus_plus.md 5)."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from src.networks.blocks import group_norm
from src.networks.dynamic_fusion import DynamicFusion
from src.networks.texture_attention import TextureAttention
from src.networks.window_attention import BIAS_STD, from_windows, relative_position_index, to_windows
from src.settings.scale import TextureFusionSize


class Injected(NamedTuple):
    """An identity feature with texture in it."""

    feature: Float[Tensor, "b c h w"]
    attention: Float[Tensor, "b c h w"] | None = None
    """A in [0, 1], where there is a texture attention module."""
    identity_share: Float[Tensor, " b"] | None = None
    """Mean over channels of the fusion weight s_F, where there is dynamic fusion."""


@runtime_checkable
class TextureInjection(Protocol):
    """An `nn.Module` that joins two features of one resolution."""

    def __call__(self, identity: Tensor, texture: Tensor) -> Injected:
        """`identity` F and `texture` T are "b c h w", and so is the result."""


class Concatenation(nn.Module):
    """F' = conv3(concat(F, T))."""

    def __init__(self, channels: int, size: TextureFusionSize) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2 * channels, channels, 3, padding=1)

    def forward(self, identity: Float[Tensor, "b c h w"], texture: Float[Tensor, "b c h w"]) -> Injected:
        """The joined feature."""
        return Injected(self.conv(torch.cat([identity, texture], dim=1)))


class AttendedTexture(nn.Module):
    """F' = F + A * T, with the texture attention A."""

    def __init__(self, channels: int, size: TextureFusionSize) -> None:
        super().__init__()
        self.attention = TextureAttention(channels)

    def forward(self, identity: Float[Tensor, "b c h w"], texture: Float[Tensor, "b c h w"]) -> Injected:
        """The joined feature and A."""
        attention = self.attention(identity, texture)
        return Injected(identity + attention * texture, attention)


class FusedTexture(nn.Module):
    """The method's own: F' = s_F F + s_T (A * T), texture attention followed by dynamic fusion."""

    def __init__(self, channels: int, size: TextureFusionSize) -> None:
        super().__init__()
        self.attention = TextureAttention(channels)
        self.fusion = DynamicFusion(channels, size.reduction)

    def forward(self, identity: Float[Tensor, "b c h w"], texture: Float[Tensor, "b c h w"]) -> Injected:
        """The joined feature, A, and the mean of s_F."""
        attention = self.attention(identity, texture)
        mixed = self.fusion(identity, attention * texture)
        return Injected(mixed.feature, attention, mixed.weights[:, 0].mean(dim=1))


class SpatialFeatureTransform(nn.Module):
    """SFT (arXiv 1804.02815): F' = F (1 + gamma(T)) + beta(T), each of two convolutions."""

    def __init__(self, channels: int, size: TextureFusionSize) -> None:
        super().__init__()
        self.gamma = _two_convolutions(channels)
        self.beta = _two_convolutions(channels)

    def forward(self, identity: Float[Tensor, "b c h w"], texture: Float[Tensor, "b c h w"]) -> Injected:
        """The joined feature."""
        return Injected(identity * (1 + self.gamma(texture)) + self.beta(texture))


def _two_convolutions(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1)
    )


class SpatiallyAdaptiveNorm(nn.Module):
    """SPADE (arXiv 1903.07291): F' = norm(F) (1 + gamma(T)) + beta(T), gamma and beta with one convolution in common.

    The norm is by groups of channels of each face and has no weights; batch statistics would tie faces to each other.
    """

    def __init__(self, channels: int, size: TextureFusionSize) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(size.norm_groups, channels, affine=False)
        self.shared = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.SiLU())
        self.gamma_beta = nn.Conv2d(channels, 2 * channels, 3, padding=1)

    def forward(self, identity: Float[Tensor, "b c h w"], texture: Float[Tensor, "b c h w"]) -> Injected:
        """The joined feature."""
        gamma, beta = self.gamma_beta(self.shared(texture)).chunk(2, dim=1)
        return Injected(self.norm(identity) * (1 + gamma) + beta)


class WindowedCrossAttention(nn.Module):
    """F' = F + attention of F's queries to T's keys and values, in windows that do not overlap.

    Several heads, with a learned bias by relative position as in Swin (arXiv 2103.14030). Sides that are no multiple of
    the window are padded with the cells of the right and lower border. ValueError unless `heads` divides `channels`.
    """

    relative_position_index: Tensor

    def __init__(self, channels: int, size: TextureFusionSize) -> None:
        super().__init__()
        if channels % size.heads:
            raise ValueError(f"heads {size.heads} must divide every width, got {channels}")
        self.heads = size.heads
        self.window = size.window
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * size.window - 1) ** 2, size.heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=BIAS_STD)
        self.register_buffer("relative_position_index", relative_position_index(size.window), persistent=False)
        self.norm_identity = group_norm(size.norm_groups, channels)
        self.norm_texture = group_norm(size.norm_groups, channels)
        self.query = nn.Conv2d(channels, channels, 1)
        self.key = nn.Conv2d(channels, channels, 1, bias=False)  # a bias would cancel in the softmax
        self.value = nn.Conv2d(channels, channels, 1)
        self.proj = nn.Conv2d(channels, channels, 1)

    def forward(self, identity: Float[Tensor, "b c h w"], texture: Float[Tensor, "b c h w"]) -> Injected:
        """The joined feature."""
        query, normed = self._to_heads(self.query(self.norm_identity(identity))), self.norm_texture(texture)
        key, value = self._to_heads(self.key(normed)), self._to_heads(self.value(normed))
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)[None]
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        return Injected(identity + self.proj(self._from_heads(attended, like=identity)))

    def _to_heads(self, feature: Float[Tensor, "b c h w"]) -> Float[Tensor, "windows heads n d"]:
        height, width = feature.shape[2:]
        padded = F.pad(feature, (0, -width % self.window, 0, -height % self.window), mode="replicate")
        windows = to_windows(padded.permute(0, 2, 3, 1), self.window)
        return windows.flatten(0, 1).unflatten(2, (self.heads, -1)).transpose(1, 2)

    def _from_heads(
        self, attended: Float[Tensor, "windows heads n d"], like: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, "b c h w"]:
        batch, _, height, width = like.shape
        windows = attended.transpose(1, 2).flatten(2).unflatten(0, (batch, -1))
        padded = from_windows(windows, self.window, width + -width % self.window)
        return padded[:, :height, :width].permute(0, 3, 1, 2)


_BY_NAME: dict[str, Callable[[int, TextureFusionSize], nn.Module]] = {
    "concat": Concatenation,
    "attention": AttendedTexture,
    "attention_fusion": FusedTexture,
    "sft": SpatialFeatureTransform,
    "spade": SpatiallyAdaptiveNorm,
    "cross_attention": WindowedCrossAttention,
}


def texture_injection(name: str, channels: int, size: TextureFusionSize) -> nn.Module:
    """A new `TextureInjection` for features of `channels`. ValueError unless `name` is one of `INJECTIONS`."""
    if name not in _BY_NAME:
        raise ValueError(f"injection {name!r} must be one of {', '.join(_BY_NAME)}")
    return _BY_NAME[name](channels, size)
