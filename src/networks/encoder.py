"""Encoder of the VQ autoencoder: a flat list of blocks with a named tap in every resolution."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from src.networks.blocks import AttentionBlock, Downsample, ResidualBlock, group_norm
from src.networks.resolution_levels import ResolutionLevel, resolution_levels
from src.settings.scale import VqAutoencoderSize


class Encoding(NamedTuple):
    """What the encoder computes from an image."""

    latent: Float[Tensor, "b d h w"]
    """Encoder output before quantisation; unbounded."""
    features: dict[int, Tensor]
    """Tapped feature maps "b c side side" by side; not cloned."""


class Encoder(nn.Module):
    """Image to latent (codeformer.md 1.1).

    For each resolution: `residual_blocks` residual blocks (each followed by attention where the level attends) and a
    downsampling but for the last; then residual, attention, residual, a norm without activation, and a convolution.
    """

    def __init__(self, size: VqAutoencoderSize) -> None:
        super().__init__()
        levels = resolution_levels(size)
        self.image_size = size.image_size
        self.taps: dict[int, int] = {}
        """Index of the tapped block by side: the last residual block of the level, before its attention."""
        self.blocks = nn.ModuleList([nn.Conv2d(3, size.width, 3, padding=1)])
        channels = size.width
        for number, level in enumerate(levels):
            self._append_level(level, channels, size)
            channels = level.channels
            if number < len(levels) - 1:
                self.blocks.append(Downsample(channels))
        self.blocks.append(ResidualBlock(channels, channels, size.norm_groups))
        self.blocks.append(AttentionBlock(channels, size.norm_groups))
        self.blocks.append(ResidualBlock(channels, channels, size.norm_groups))
        self.blocks.append(group_norm(size.norm_groups, channels))
        self.blocks.append(nn.Conv2d(channels, size.code_dim, 3, padding=1))

    def _append_level(self, level: ResolutionLevel, in_channels: int, size: VqAutoencoderSize) -> None:
        for number in range(size.residual_blocks):
            channels = in_channels if number == 0 else level.channels
            self.blocks.append(ResidualBlock(channels, level.channels, size.norm_groups))
            self.taps[level.side] = len(self.blocks) - 1
            if level.attends:
                self.blocks.append(AttentionBlock(level.channels, size.norm_groups))

    def residual_blocks(self) -> Iterator[tuple[int, ResidualBlock]]:
        """Side of the feature map, for an input of the size's `image_size`, and block."""
        side = self.image_size
        for block in self.blocks:
            if isinstance(block, ResidualBlock):
                yield side, block
            elif isinstance(block, Downsample):
                side //= 2

    def forward(self, image: Float[Tensor, "b 3 h w"], tapped_sizes: Collection[int] = ()) -> Encoding:
        """Latent of an image in [-1, 1], with the feature maps of `tapped_sizes` (KeyError if not a resolution)."""
        sizes = {self.taps[side]: side for side in tapped_sizes}
        features: dict[int, Tensor] = {}
        hidden = image
        for index, block in enumerate(self.blocks):
            hidden = block(hidden)
            if index in sizes:
                features[sizes[index]] = hidden
        return Encoding(hidden, features)
