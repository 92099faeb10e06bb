"""Texture-prior guided restoration network (TGRN) of CodeFormer++ (codeformer_plus_plus.md 5)."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from src.networks.blocks import Downsample, ResidualBlock, group_norm
from src.networks.deformable_alignment import DeformableAlignment
from src.networks.local_attention import LocalAttention
from src.networks.texture_injection import Injected, texture_injection
from src.settings.codeformer_plus_plus import ALIGNMENTS
from src.settings.scale import TextureFusionSize

IMAGE_CHANNELS = 3
LOWEST = 2
"""Levels that local attention aligns, the lowest, where its window reaches farthest: 1/2 and 1/4 for three widths."""


class Fused(NamedTuple):
    """A face with the identity of one and the texture of another, and what was decided on the way."""

    image: Float[Tensor, "b 3 h w"]
    """I_out; aims at [-1, 1] but is unbounded."""
    attention: list[Tensor]
    """Texture attention A "b c h w" of each level, highest resolution first; empty where the injection has none."""
    identity_share: Float[Tensor, "b levels"] | None
    """Mean over channels of the fusion weight s_F; None where the injection does not weigh."""
    alignment_penalty: Float[Tensor, ""]
    """Mean over the aligned levels of their mean absolute offset, pixels of their feature map; 0 without offsets."""
    alignment_field: Float[Tensor, "b 2 h w"] | None
    """Displacement (dx, dy), pixels of the face, that the alignment of the finest level amounts to; None without one."""


class TextureFusion(nn.Module):
    """U-Net that adds to an identity-preserving face I_F what it takes of a generated one: I_out = I_F + R.

    Two encoders of equal shape, which do not see each other, give F_i and T_i at each resolution; T_i is aligned to F_i
    (`alignment`, a name of `ALIGNMENTS`) and joined with it (`injection`, a name of `INJECTIONS`). The bottleneck goes on
    from the lowest of the joined features, and the decoder concatenates each of them on its way up. R comes from a
    convolution that starts at zero, so that a new network returns I_F bit for bit.

    At `paper512`, with `attention_fusion` and without alignment: 19.4 M parameters, 563 G multiply-adds for a face of
    512 x 512. Widths and equations are this suite's choice.

    ValueError for an unknown name, for no residual block, and unless `norm_groups`, and `offset_groups` or `heads` where
    they are used, divide every width.
    """

    def __init__(self, size: TextureFusionSize, injection: str, alignment: str) -> None:
        super().__init__()
        _check(size)
        self.size = size
        self.identity_encoder = _Encoder(size)
        self.texture_encoder = _Encoder(size)
        self.alignments = _alignments(alignment, size)
        self.injections = nn.ModuleList(texture_injection(injection, width, size) for width in size.widths)
        self.bottleneck = nn.Sequential(
            Downsample(size.widths[-1]),
            *_residual_blocks(size.widths[-1], size.bottleneck_blocks, size.norm_groups),
        )
        self.decoder = _Decoder(size)

    @property
    def stride(self) -> int:
        """Number of which the sides of an image must be multiples."""
        return 2 ** len(self.size.widths)

    @property
    def adaptive_layer(self) -> nn.Parameter:
        """Weight to which the adaptive GAN weight refers: the last one (codeformer.md 2.1)."""
        return self.get_parameter("decoder.conv_out.weight")

    def offset_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters that predict offsets of the deformable alignments, which want a lower learning rate; else nothing."""
        for alignment in self.alignments.values():
            if isinstance(alignment, DeformableAlignment):
                yield from alignment.offset_parameters()

    def forward(
        self,
        identity: Float[Tensor, "b 3 h w"],
        warped: Float[Tensor, "b 3 h w"],
        field: Float[Tensor, "b 2 h w"] | None = None,
    ) -> Fused:
        """Fuse I_F `identity` with the texture of `warped`, both in [-1, 1].

        `warped` is I_warp, or I_G itself where an alignment of features is to do all of the moving. `field` is the
        displacement (dx, dy) in pixels of the face's registration, which `flow_guided_deformable` starts from.
        ValueError unless the sides are multiples of `stride`.
        """
        height, width = identity.shape[2:]
        if height % self.stride or width % self.stride:
            raise ValueError(f"expected sides that are multiples of {self.stride}, got an image of {height} x {width}")
        kept = self.identity_encoder(identity)
        aligned = self._aligned(self.texture_encoder(warped), kept, field)
        injected: list[Injected] = [
            inject(feature, texture)
            for inject, feature, texture in zip(self.injections, kept, aligned.textures, strict=True)
        ]
        bottom = self.bottleneck(injected[-1].feature)
        residual = self.decoder(bottom, [level.feature for level in injected])
        shares = [level.identity_share for level in injected if level.identity_share is not None]
        return Fused(
            image=identity + residual,
            attention=[level.attention for level in injected if level.attention is not None],
            identity_share=torch.stack(shares, dim=1) if shares else None,
            alignment_penalty=aligned.penalty,
            alignment_field=aligned.field,
        )

    def _aligned(
        self, textures: list[Tensor], kept: list[Tensor], field: Float[Tensor, "b 2 h w"] | None
    ) -> "_AlignedLevels":
        textures = list(textures)
        found: Tensor | None = None
        penalties: list[Tensor] = []
        # From the lowest resolution, so that the field of the finest is the one that stays.
        for name, align in reversed(list(self.alignments.items())):
            level = int(name)
            textures[level], moved, penalty = align(textures[level], kept[level], field_of_level(field, level))
            found = found if moved is None else field_of_face(moved, level)
            penalties.append(penalty)
        return _AlignedLevels(textures, found, torch.stack(penalties).mean() if penalties else kept[0].new_zeros(()))


class _AlignedLevels(NamedTuple):
    textures: list[Tensor]
    field: Float[Tensor, "b 2 h w"] | None
    penalty: Float[Tensor, ""]


def field_of_level(field: Float[Tensor, "b 2 h w"] | None, level: int) -> Float[Tensor, "b 2 h_level w_level"] | None:
    """A face's field for its features after `level` halvings: the mean over each cell, in cells; None for None."""
    return None if field is None else F.avg_pool2d(field, 2**level) / 2**level


def field_of_face(field: Float[Tensor, "b 2 h_level w_level"], level: int) -> Float[Tensor, "b 2 h w"]:
    """A field of features after `level` halvings, for the face: bilinear, in pixels of the face."""
    return F.interpolate(field, scale_factor=float(2**level), mode="bilinear", align_corners=False) * 2**level


class _Encoder(nn.Module):
    """Feature maps of an image, each of half the side of the one before."""

    def __init__(self, size: TextureFusionSize) -> None:
        super().__init__()
        widths = size.widths
        self.conv_in = nn.Conv2d(IMAGE_CHANNELS, widths[0], 3, padding=1)
        levels = [_level(widths[0], widths[0], size)]
        levels += [
            nn.Sequential(Downsample(before), *_level(before, width, size)) for before, width in pairwise(widths)
        ]
        self.levels = nn.ModuleList(levels)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """One "b c h_level w_level" a width, the image's own resolution first."""
        features: list[Tensor] = []
        feature = self.conv_in(image)
        for level in self.levels:
            feature = level(feature)
            features.append(feature)
        return features


class _Decoder(nn.Module):
    """Back to the image's resolution: bilinear x 2 and a convolution, a skip, residual blocks; starts at zero."""

    def __init__(self, size: TextureFusionSize) -> None:
        super().__init__()
        widths = size.widths
        before = [*widths[1:], widths[-1]]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(below, width, 3, padding=1) for below, width in zip(before, widths, strict=True)
        )
        self.levels = nn.ModuleList(_level(2 * width, width, size) for width in widths)
        self.norm_out = group_norm(size.norm_groups, widths[0])
        self.conv_out = nn.Conv2d(widths[0], IMAGE_CHANNELS, 3, padding=1)
        for parameter in self.conv_out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, bottom: Float[Tensor, "b c h_low w_low"], skips: list[Tensor]) -> Float[Tensor, "b 3 h w"]:
        """The residual R, from the bottleneck and the features of all levels, highest resolution first."""
        feature = bottom
        for convolution, level, skip in reversed(list(zip(self.convolutions, self.levels, skips, strict=True))):
            doubled = F.interpolate(feature, scale_factor=2.0, mode="bilinear", align_corners=False)
            feature = level(torch.cat([convolution(doubled), skip], dim=1))
        return self.conv_out(F.silu(self.norm_out(feature)))


def _level(in_channels: int, out_channels: int, size: TextureFusionSize) -> nn.Sequential:
    rest = _residual_blocks(out_channels, size.residual_blocks - 1, size.norm_groups)
    return nn.Sequential(ResidualBlock(in_channels, out_channels, size.norm_groups), *rest)


def _residual_blocks(channels: int, number: int, norm_groups: int) -> Iterator[ResidualBlock]:
    return (ResidualBlock(channels, channels, norm_groups) for _ in range(number))


def _alignments(name: str, size: TextureFusionSize) -> nn.ModuleDict:
    """A `FeatureAlignment` by level, as a string, for the levels that are aligned."""
    if name not in ALIGNMENTS:
        raise ValueError(f"alignment {name!r} must be one of {', '.join(ALIGNMENTS)}")
    levels = list(enumerate(size.widths))
    if name == "none":
        return nn.ModuleDict()
    if name == "local_attention":
        return nn.ModuleDict({str(level): LocalAttention(width, size.window) for level, width in levels[-LOWEST:]})
    guided = name == "flow_guided_deformable"
    return nn.ModuleDict(
        {str(level): DeformableAlignment(width, size.offset_groups, flow_guided=guided) for level, width in levels}
    )


def _check(size: TextureFusionSize) -> None:
    if not size.widths or size.residual_blocks < 1:
        raise ValueError(
            f"at least one width and one residual block are needed, got widths {size.widths} and "
            f"residual_blocks {size.residual_blocks}"
        )
    if any(width % size.norm_groups for width in size.widths):
        raise ValueError(f"norm_groups {size.norm_groups} must divide every width, got {size.widths}")
