"""Small landmark detector: aligned face to heatmaps, and their means as points (DSNT, arXiv 1801.07372)."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from src.settings.scale import LandmarkDetectorSize

HEATMAP_STRIDE = 4
"""Heatmaps are at 1 / 4 of `input_size`."""
DOWNSCALE = 16
"""The lowest resolution is 1 / 16 of `input_size`; at 64 pixels its 4 x 4 cells see the whole face."""


class _Residual(nn.Module):
    """Two 3x3 convolutions with BatchNorm, added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(_convolution(channels, channels), _convolution(channels, channels, active=False))

    def forward(self, feature: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return F.relu(feature + self.residual(feature))


def _convolution(in_channels: int, out_channels: int, stride: int = 1, active: bool = True) -> nn.Sequential:
    layers = [nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False), nn.BatchNorm2d(out_channels)]
    return nn.Sequential(*layers, *([nn.ReLU()] if active else []))


class LandmarkDetector(nn.Module):
    """Encoder down to 1/16, decoder up to 1/4 with skips, one heatmap a landmark.

    Channels are `width`, 2 `width`, 4 `width`, 8 `width` at 1/2, 1/4, 1/8, 1/16 of `input_size`. ValueError unless that
    divides by 16.
    """

    def __init__(self, size: LandmarkDetectorSize) -> None:
        super().__init__()
        if size.input_size % DOWNSCALE:
            raise ValueError(f"input_size {size.input_size} must be a multiple of {DOWNSCALE}")
        self.size = size
        widths = [size.width * 2**level for level in range(4)]
        self.stem = _convolution(3, widths[0], stride=2)
        self.down = nn.ModuleList(
            nn.Sequential(_convolution(fine, coarse, stride=2), _Residual(coarse)) for fine, coarse in pairwise(widths)
        )
        upwards = list(pairwise(reversed(widths[1:])))
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 1, bias=False) for coarse, fine in upwards)
        self.merge = nn.ModuleList(_Residual(fine) for _, fine in upwards)
        self.head = nn.Sequential(_convolution(widths[1], widths[2]), nn.Conv2d(widths[2], size.landmarks, 1))

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k 2"]:
        """Landmarks (x, y) of aligned faces in [-1, 1] of any side, in pixels of `image`; pixel i covers [i, i + 1]."""
        height, width = image.shape[-2:]
        return heatmap_means(self.heatmaps(image)) * torch.tensor([width, height], device=image.device)

    def heatmaps(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k side side"]:
        """A distribution over the cells for every landmark: each sums to 1; images are resized as `Recogniser` does."""
        side = self.size.input_size
        if image.shape[-2:] != (side, side):
            image = F.interpolate(image, (side, side), mode="bilinear", antialias=True)
        logits = self._logits(image).float()
        return logits.flatten(2).softmax(2).view_as(logits)

    def _logits(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k side side"]:
        features = [self.stem(image)]
        for down in self.down:
            features.append(down(features[-1]))
        feature = features.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            feature = merge(features.pop() + F.interpolate(up(feature), scale_factor=2.0, mode="nearest"))
        return self.head(feature)


def heatmap_means(heatmaps: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k 2"]:
    """Mean place (x, y) of each distribution, as shares of width and height: the soft-argmax."""
    x, y = (cell_middles(cells, heatmaps) for cells in (heatmaps.shape[-1], heatmaps.shape[-2]))
    # In bfloat16 a place would be a pixel or two of 512 off.
    with torch.autocast(heatmaps.device.type, enabled=False):
        return torch.stack([heatmaps.sum(2) @ x, heatmaps.sum(3) @ y], dim=2)


def cell_middles(cells: int, like: Tensor) -> Float[Tensor, "cells"]:
    """Middles of the cells that divide [0, 1]."""
    return (torch.arange(cells, device=like.device, dtype=torch.float32) + 0.5) / cells
