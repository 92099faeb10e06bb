"""Diffusion UNet: unconditional prior that predicts noise and variance (difface.md 2.1), and score models' backbone."""

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn

from src.networks.blocks import Upsample
from src.networks.diffusion_unet_blocks import (
    AttentionBlock,
    ConditionedLayers,
    Downsample,
    Float32GroupNorm,
    ResidualBlock,
)
from src.networks.resolution_levels import ResolutionLevel, resolution_levels
from src.networks.timestep_embedding import TimestepEmbedding
from src.settings.scale import DiffusionUnetSize

IMAGE_CHANNELS = 3


class DiffusionUnet(nn.Module):
    """UNet of DifFace's prior, of any size, with the published keys (difface.md 2.1).

    The prior takes an image and returns noise and variance; with other channels it is the backbone of a score model.

    ValueError unless there is a number of residual blocks for each multiplier, the width is even and divides by
    `norm_groups`, `head_width` divides the channels of every level with attention and of the coarsest, and the side can
    be halved as often as there are levels.
    """

    def __init__(
        self, size: DiffusionUnetSize, in_channels: int = IMAGE_CHANNELS, out_channels: int = 2 * IMAGE_CHANNELS
    ) -> None:
        super().__init__()
        _check(size)
        self.size = size
        self.in_channels, self.out_channels = in_channels, out_channels
        self._embedding_width = 4 * size.width
        levels = resolution_levels(size)
        self.time_embed = TimestepEmbedding(size.width, self._embedding_width)
        self.input_blocks = nn.ModuleList()
        widths = self._build_input_blocks(levels)
        channels = levels[-1].channels
        self.middle_block = ConditionedLayers(
            [self._residual(channels, channels), self._attention(channels), self._residual(channels, channels)]
        )
        self.output_blocks = nn.ModuleList()
        self._build_output_blocks(levels, widths)
        self.out = nn.Sequential(
            Float32GroupNorm(size.norm_groups, size.width),
            nn.SiLU(),
            nn.Conv2d(size.width, out_channels, 3, padding=1),
        )

    def _build_input_blocks(self, levels: list[ResolutionLevel]) -> list[int]:
        """Append the blocks on the way down; returns the channels that each gives to its skip."""
        channels = self.size.width
        widths = [channels]
        self.input_blocks.append(ConditionedLayers([nn.Conv2d(self.in_channels, channels, 3, padding=1)]))
        for number, level in enumerate(levels):
            for _ in range(self.size.residual_blocks[number]):
                self.input_blocks.append(ConditionedLayers(self._level_layers(level, channels)))
                channels = level.channels
                widths.append(channels)
            if number < len(levels) - 1:
                self.input_blocks.append(ConditionedLayers([Downsample(channels)]))
                widths.append(channels)
        return widths

    def _build_output_blocks(self, levels: list[ResolutionLevel], widths: list[int]) -> None:
        """Append the blocks on the way up, one for every skip of `widths`, the last one first."""
        channels = levels[-1].channels
        for number, level in reversed(list(enumerate(levels))):
            for remaining in reversed(range(self.size.residual_blocks[number] + 1)):
                layers = self._level_layers(level, channels + widths.pop())
                channels = level.channels
                if number > 0 and not remaining:
                    layers.append(Upsample(channels))
                self.output_blocks.append(ConditionedLayers(layers))

    def _level_layers(self, level: ResolutionLevel, in_channels: int) -> list[nn.Module]:
        residual = self._residual(in_channels, level.channels)
        return [residual, self._attention(level.channels)] if level.attends else [residual]

    def _residual(self, in_channels: int, out_channels: int) -> ResidualBlock:
        return ResidualBlock(in_channels, out_channels, self._embedding_width, self.size.norm_groups)

    def _attention(self, channels: int) -> AttentionBlock:
        return AttentionBlock(channels, self.size.head_width, self.size.norm_groups)

    @property
    def stride(self) -> int:
        """Number of which the sides of an image must be multiples."""
        return 2 ** (len(self.size.multipliers) - 1)

    def forward(
        self, x_t: Float[Tensor, "b {self.in_channels} h w"], t: Num[Tensor, " b"]
    ) -> Float[Tensor, "b {self.out_channels} h w"]:
        """Predict the noise in `x_t` (as the prior: channels 0 to 2) and where its variance lies between the bounds (3 to 5).

        `x_t` is a noised image of the range [-1, 1]; `t` counts the steps of the training process, one per image. The
        output is unbounded, and float32 under autocast too. Any side will do that is a multiple of `stride`, ValueError
        otherwise: attention belongs to a level, whatever the side there.
        """
        if x_t.shape[2] % self.stride or x_t.shape[3] % self.stride:
            raise ValueError(
                f"expected sides that are multiples of {self.stride}, got an image of {x_t.shape[2]} x {x_t.shape[3]}"
            )
        with torch.autocast(x_t.device.type, enabled=False):
            embedding = self.time_embed(t)
        feature = self._features(x_t, embedding)
        with torch.autocast(x_t.device.type, enabled=False):
            return self.out(feature.to(self.out.get_parameter("2.weight").dtype))

    def _features(
        self, x_t: Float[Tensor, "b {self.in_channels} h w"], embedding: Float[Tensor, "b d"]
    ) -> Float[Tensor, "b {self.size.width} h w"]:
        skips: list[Tensor] = []
        feature = x_t
        for block in self.input_blocks:
            feature = block(feature, embedding)
            skips.append(feature)
        feature = self.middle_block(feature, embedding)
        for block in self.output_blocks:
            feature = block(torch.cat([feature, skips.pop()], dim=1), embedding)
        return feature


def _check(size: DiffusionUnetSize) -> None:
    if len(size.residual_blocks) != len(size.multipliers):
        raise ValueError(
            f"residual_blocks {size.residual_blocks} and multipliers {size.multipliers} must be equally many, one a level"
        )
    if size.width % 2 or size.width % size.norm_groups:
        raise ValueError(f"width {size.width} must be even and a multiple of norm_groups {size.norm_groups}")
