"""Light identity recovery network: a U-Net from the degraded to the restored face (clr_face.md 5)."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from src.networks.blocks import Downsample, ResidualBlock, Upsample, group_norm
from src.settings.scale import RestorationUnetSize

IMAGE_CHANNELS = 3


class RestorationUnet(nn.Module):
    """U-Net of residual blocks that adds to an image what it lacks; a new network returns the image bit for bit.

    ValueError unless there are a width and a residual block, and `norm_groups` divides every width.
    """

    def __init__(self, size: RestorationUnetSize) -> None:
        super().__init__()
        _check(size)
        self.size = size
        widths = size.widths
        self.conv_in = nn.Conv2d(IMAGE_CHANNELS, widths[0], 3, padding=1)
        self.down = nn.ModuleList([_blocks(widths[0], widths[0], size)])
        self.up = nn.ModuleList()
        for width, below in pairwise(widths):
            self.down.append(nn.Sequential(Downsample(width), _blocks(width, below, size)))
            self.up.append(_Enlargement(below, width, size))
        self.norm_out = group_norm(size.norm_groups, widths[0])
        self.conv_out = nn.Conv2d(widths[0], IMAGE_CHANNELS, 3, padding=1)
        for parameter in self.conv_out.parameters():
            nn.init.zeros_(parameter)

    @property
    def stride(self) -> int:
        """Number of which the sides of an image must be multiples."""
        return 2 ** (len(self.size.widths) - 1)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """Restored image, around [0, 1] but unbounded, of one in [0, 1].

        ValueError unless its sides are multiples of `stride`.
        """
        height, width = image.shape[2:]
        if height % self.stride or width % self.stride:
            raise ValueError(f"expected sides that are multiples of {self.stride}, got an image of {height} x {width}")
        features = [self.conv_in(image)]
        for level in self.down:
            features.append(level(features[-1]))
        feature = features.pop()
        for enlarge in reversed(self.up):
            feature = enlarge(feature, features.pop())
        return image + self.conv_out(F.silu(self.norm_out(feature)))


class _Enlargement(nn.Module):
    """Twice the side, the skip of that side, residual blocks."""

    def __init__(self, below: int, width: int, size: RestorationUnetSize) -> None:
        super().__init__()
        self.upsample = Upsample(below)
        self.blocks = _blocks(below + width, width, size)

    def forward(
        self, feature: Float[Tensor, "b c_low h_low w_low"], skip: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, "b c h w"]:
        return self.blocks(torch.cat([self.upsample(feature), skip], dim=1))


def _blocks(in_channels: int, out_channels: int, size: RestorationUnetSize) -> nn.Sequential:
    inputs = [in_channels, *[out_channels] * (size.residual_blocks - 1)]
    return nn.Sequential(*(ResidualBlock(channels, out_channels, size.norm_groups) for channels in inputs))


def _check(size: RestorationUnetSize) -> None:
    if not size.widths or size.residual_blocks < 1:
        raise ValueError(
            f"at least one width and one residual block are needed, got widths {size.widths} and "
            f"residual_blocks {size.residual_blocks}"
        )
    if any(width % size.norm_groups for width in size.widths):
        raise ValueError(f"norm_groups {size.norm_groups} must divide every width, got {size.widths}")
