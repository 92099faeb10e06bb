"""U-Net that looks at two faces and predicts a field, built like 2-D VoxelMorph (codeformer_plus_plus.md 3.2;
Balakrishnan et al., arXiv 1809.05231)."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from src.settings.scale import DenseRegistrationSize

SLOPE = 0.2
"""Of every LeakyReLU."""
HEAD_DEVIATION = 1e-5
"""Of a field head's first weights: so close to 0 that training starts at the identity."""


def field_head(width: int, deviation: float = HEAD_DEVIATION, bias: float = 0.0) -> nn.Conv2d:
    """3x3 convolution to the two channels of a field, with normal weights of this deviation and this bias."""
    head = nn.Conv2d(width, 2, 3, padding=1)
    nn.init.normal_(head.weight, std=deviation)
    head.bias = nn.Parameter(torch.full((2,), bias))
    return head


class DisplacementUnet(nn.Module):
    """Encoder of stride-2 convolutions, decoder of nearest enlargements with skips, convolutions at the field's resolution.

    `half_resolution` leaves out the last enlargement. ValueError unless encoder and decoder have the same number of widths.
    """

    def __init__(self, size: DenseRegistrationSize, in_channels: int, *, half_resolution: bool = False) -> None:
        super().__init__()
        down, up = size.encoder_widths, size.decoder_widths
        if len(down) != len(up):
            raise ValueError(f"encoder_widths {down} and decoder_widths {up} must be as many")
        skips = [*reversed(down[:-1]), in_channels]
        if half_resolution:
            skips[-1] = 0
        inputs = [up_width + skip for up_width, skip in zip(up, skips, strict=True)]
        self.half_resolution = half_resolution
        self.stride = 2 ** len(down)
        self.encoder = nn.ModuleList(_convolution(a, b, stride=2) for a, b in pairwise([in_channels, *down]))
        self.decoder = nn.ModuleList(_convolution(a, b) for a, b in zip([down[-1], *inputs[:-1]], up, strict=True))
        self.final = nn.Sequential(*(_convolution(a, b) for a, b in pairwise([inputs[-1], *size.final_widths])))
        self.width = [inputs[-1], *size.final_widths][-1]
        self.head = field_head(self.width)

    def forward(self, pair: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 2 h_field w_field"]:
        """A field in pixels of its own grid, of the image's side or half of it; almost 0 in a fresh network."""
        return self.head(self.features(pair))

    def features(self, pair: Float[Tensor, "b c h w"]) -> Float[Tensor, "b width h_field w_field"]:
        """What heads see. ValueError unless the sides are multiples of `stride`."""
        self._check(pair)
        maps = [pair]
        for layer in self.encoder:
            maps.append(layer(maps[-1]))
        feature = maps.pop()
        for layer in self.decoder:
            feature, skip = layer(feature), maps.pop()
            if maps or not self.half_resolution:
                feature = torch.cat([F.interpolate(feature, scale_factor=2.0, mode="nearest"), skip], dim=1)
        return self.final(feature)

    def _check(self, pair: Float[Tensor, "b c h w"]) -> None:
        height, width = pair.shape[-2:]
        if height % self.stride or width % self.stride:
            raise ValueError(f"expected sides that are multiples of {self.stride}, got an image of {height} x {width}")


def _convolution(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, stride, padding=1), nn.LeakyReLU(SLOPE))
