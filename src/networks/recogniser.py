"""Small face recogniser: aligned face to identity embedding."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from src.settings.scale import RecogniserSize

STAGES = 3
"""Halvings of the side: one in the stem and one in each stage after the first."""


class _BasicBlock(nn.Module):
    """Two 3x3 convolutions with BatchNorm and PReLU; a 1x1 convolution on the skip where the shape changes."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.PReLU(out_channels),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.skip: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
            self.skip = nn.Sequential(projection, nn.BatchNorm2d(out_channels))
        self.activation = nn.PReLU(out_channels)

    def forward(self, feature: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c_out h_out w_out"]:
        return self.activation(self.residual(feature) + self.skip(feature))


class Recogniser(nn.Module):
    """ResNet-style network with a depthwise head, which keeps where on the aligned face a feature lies.

    Channels are `width`, 2 `width`, 4 `width` at 1/2, 1/4, 1/8 of `input_size`. ValueError unless that divides by 8.
    """

    def __init__(self, size: RecogniserSize) -> None:
        super().__init__()
        if size.input_size % 2**STAGES:
            raise ValueError(f"input_size {size.input_size} must be a multiple of {2**STAGES}")
        self.size = size
        widths = [size.width * 2**stage for stage in range(STAGES)]
        self.stem = nn.Sequential(
            nn.Conv2d(3, size.width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(size.width),
            nn.PReLU(size.width),
        )
        self.stages = nn.Sequential(
            _BasicBlock(widths[0], widths[0], stride=1),
            *(_BasicBlock(widths[stage - 1], widths[stage], stride=2) for stage in range(1, STAGES)),
        )
        side = size.input_size // 2**STAGES
        self.head = nn.Sequential(
            nn.Conv2d(widths[-1], widths[-1], side, groups=widths[-1], bias=False),
            nn.BatchNorm2d(widths[-1]),
            nn.Flatten(),
            nn.Linear(widths[-1], size.embedding_dim, bias=False),
            nn.BatchNorm1d(size.embedding_dim),
        )

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """Unit-norm embeddings of aligned faces in [-1, 1] of any side; resized bilinearly (antialiased) if needed."""
        side = self.size.input_size
        if image.shape[-2:] != (side, side):
            image = F.interpolate(image, (side, side), mode="bilinear", antialias=True)
        embedding = self.head(self.stages(self.stem(image)))
        return F.normalize(embedding.float(), dim=1)
