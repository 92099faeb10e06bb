"""SwinIR, DifFace's restoration backbone (difface.md 2.3; Liang et al., "SwinIR", ICCV Workshops 2021)."""

from collections.abc import Iterator
from itertools import count

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from src.networks.swin_block import ResidualGroup, SwinBlock
from src.settings.scale import SwinIrSize

RGB_MEAN = (0.4488, 0.4371, 0.4040)
"""Mean of the photographs on which SwinIR was first trained, subtracted from every face."""
LINEAR_STD = 0.02
"""Standard deviation of the linear layers' weights in a new network."""


class SwinIr(nn.Module):
    """SwinIR of any size, with the published keys (difface.md 2.3).

    Residual groups of windowed attention on tokens of downscale x downscale pixels, then an enlargement to the image.

    ValueError unless there are as many `heads` as `depths`, each of `heads` divides `width`, `downscale` is a power of 2,
    and downscale x window divides `image_size`.
    """

    def __init__(self, size: SwinIrSize) -> None:
        super().__init__()
        _check(size)
        self.size = size
        width, up_width = size.width, size.up_width
        self.conv_first = nn.Sequential(
            nn.PixelUnshuffle(size.downscale), nn.Conv2d(3 * size.downscale**2, width, 3, padding=1)
        )
        self.patch_embed = nn.ModuleDict({"norm": nn.LayerNorm(width)})
        self.layers = nn.Sequential(*_groups(size))
        self.norm = nn.LayerNorm(width)
        self.conv_after_body = nn.Conv2d(width, width, 3, padding=1)
        self.conv_before_upsample = nn.Sequential(nn.Conv2d(width, up_width, 3, padding=1), nn.LeakyReLU(0.01))
        self._doublings = size.downscale.bit_length() - 1
        for number in range(1, self._doublings + 1):
            self.add_module(f"conv_up{number}", nn.Conv2d(up_width, up_width, 3, padding=1))
        self.conv_hr = nn.Conv2d(up_width, up_width, 3, padding=1)
        self.conv_last = nn.Conv2d(up_width, 3, 3, padding=1)
        self.apply(_start_linear)

    @property
    def stride(self) -> int:
        """Number of which the sides of an image must be multiples: the pixels of a window."""
        return self.size.downscale * self.size.window

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """Restore faces in [0, 1]; the output aims at [0, 1] but is unbounded.

        Raises ValueError unless the sides are multiples of `stride`.
        """
        if image.shape[2] % self.stride or image.shape[3] % self.stride:
            raise ValueError(
                f"expected sides that are multiples of {self.stride}, got an image of "
                f"{image.shape[2]} x {image.shape[3]}"
            )
        shallow = self.conv_first(_shifted(image, -1))
        tokens = self.norm(self.layers(self.patch_embed["norm"](shallow.permute(0, 2, 3, 1))))
        deep = shallow + self.conv_after_body(tokens.permute(0, 3, 1, 2))
        return _shifted(self._to_pixels(deep), 1)

    def _to_pixels(self, feature: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 3 h_image w_image"]:
        feature = self.conv_before_upsample(feature)
        for number in range(1, self._doublings + 1):
            doubled = F.interpolate(feature, scale_factor=2.0, mode="nearest")
            feature = F.leaky_relu(self.get_submodule(f"conv_up{number}")(doubled), 0.2)
        return self.conv_last(F.leaky_relu(self.conv_hr(feature), 0.2))


def _groups(size: SwinIrSize) -> Iterator[ResidualGroup]:
    grid = size.image_size // size.downscale
    # A grid of a single window has nothing to shift.
    shift = size.window // 2 if grid > size.window else 0
    steps = max(sum(size.depths) - 1, 1)
    drop_paths = (size.drop_path * step / steps for step in count())
    for depth, heads in zip(size.depths, size.heads, strict=True):
        blocks = [
            SwinBlock(
                *(size.width, heads, round(size.mlp_ratio * size.width)),
                grid=grid,
                window=size.window,
                shift=shift if number % 2 else 0,
                drop_path=next(drop_paths),
            )
            for number in range(depth)
        ]
        yield ResidualGroup(blocks, size.width)


def _shifted(image: Float[Tensor, "b 3 h w"], sign: int) -> Float[Tensor, "b 3 h w"]:
    """The image plus or minus the mean; by channel, so that no constant has to be moved to the image's device."""
    channels = zip(image.unbind(1), RGB_MEAN, strict=True)
    return torch.stack([channel + sign * mean for channel, mean in channels], dim=1)


def _start_linear(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=LINEAR_STD)
        nn.init.zeros_(module.bias)


def _check(size: SwinIrSize) -> None:
    if len(size.depths) != len(size.heads):
        raise ValueError(f"depths {size.depths} and heads {size.heads} must be equally many, one a residual group")
    if size.downscale < 1 or size.downscale & (size.downscale - 1):
        raise ValueError(f"downscale {size.downscale} must be a power of 2")
    if size.image_size % (size.downscale * size.window):
        raise ValueError(
            f"image_size {size.image_size} must be a multiple of downscale {size.downscale} x window {size.window}"
        )
