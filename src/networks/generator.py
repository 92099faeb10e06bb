"""Generator (decoder) of the VQ autoencoder: a flat list of blocks with a named point in every resolution."""

from collections.abc import Callable, Iterator, Mapping

from jaxtyping import Float
from torch import Tensor, nn

from src.networks.blocks import AttentionBlock, ResidualBlock, Upsample, group_norm
from src.networks.resolution_levels import ResolutionLevel, resolution_levels
from src.settings.scale import VqAutoencoderSize

FeatureMap = Callable[[Tensor], Tensor]


class Generator(nn.Module):
    """Latent to image (codeformer.md 1.1): the encoder's order reversed; the output is unbounded."""

    def __init__(self, size: VqAutoencoderSize) -> None:
        super().__init__()
        levels = resolution_levels(size)[::-1]
        channels = levels[0].channels
        self.latent_side = levels[0].side
        self.points: dict[int, int] = {}
        """Index of the block by side after whose output a feature may be changed: the first residual block of the
        level, but the last one (before its attention) of the latent's level, as published."""
        self.blocks = nn.ModuleList([nn.Conv2d(size.code_dim, channels, 3, padding=1)])
        self.blocks.append(ResidualBlock(channels, channels, size.norm_groups))
        self.blocks.append(AttentionBlock(channels, size.norm_groups))
        self.blocks.append(ResidualBlock(channels, channels, size.norm_groups))
        for number, level in enumerate(levels):
            self._append_level(level, channels, size, point=size.residual_blocks - 1 if number == 0 else 0)
            channels = level.channels
            if number < len(levels) - 1:
                self.blocks.append(Upsample(channels))
        self.blocks.append(group_norm(size.norm_groups, channels))
        self.blocks.append(nn.Conv2d(channels, 3, 3, padding=1))

    def _append_level(self, level: ResolutionLevel, in_channels: int, size: VqAutoencoderSize, point: int) -> None:
        for number in range(size.residual_blocks):
            channels = in_channels if number == 0 else level.channels
            self.blocks.append(ResidualBlock(channels, level.channels, size.norm_groups))
            if number == point:
                self.points[level.side] = len(self.blocks) - 1
            if level.attends:
                self.blocks.append(AttentionBlock(level.channels, size.norm_groups))

    def residual_blocks(self) -> Iterator[tuple[int, ResidualBlock]]:
        """Side of the feature map, for an output of the size's `image_size`, and block."""
        side = self.latent_side
        for block in self.blocks:
            if isinstance(block, ResidualBlock):
                yield side, block
            elif isinstance(block, Upsample):
                side *= 2

    @property
    def last_layer(self) -> nn.Parameter:
        """Weight of the last convolution, "3 width 3 3"."""
        return self.blocks[-1].get_parameter("weight")

    def forward(
        self, latent: Float[Tensor, "b d h w"], changes: Mapping[int, FeatureMap] | None = None
    ) -> Float[Tensor, "b 3 h_image w_image"]:
        """Image of a latent; `changes` maps a side to a function on the feature map "b c side side" at its point.

        Raises KeyError if a side is not a resolution.
        """
        by_block = {self.points[side]: change for side, change in (changes or {}).items()}
        hidden = latent
        for index, block in enumerate(self.blocks):
            hidden = block(hidden)
            if index in by_block:
                hidden = by_block[index](hidden)
        return hidden
