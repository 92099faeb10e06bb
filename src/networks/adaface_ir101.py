"""AdaFace IR-101 (Kim et al., CVPR 2022): a recogniser trained with regard to image quality; keys as in its repository.

The layout is written down from public descriptions of that network; the published file was not at hand to prove it.
"""

from jaxtyping import Float
from torch import Tensor, nn

Features = Float[Tensor, "b c h w"]
STAGES = ((64, 3), (128, 13), (256, 30), (512, 3))
"""Channels and blocks of the stages, each of which halves the side."""
EMBEDDING = 512
SIDE = 112
"""Side of the faces that it takes, pixels."""


class _ImprovedResidual(nn.Module):
    """BatchNorm, 3x3, BatchNorm, PReLU, 3x3 with the stride, BatchNorm."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        if channels_in != channels:
            projection = nn.Conv2d(channels_in, channels, 1, stride, bias=False)
            self.shortcut_layer = nn.Sequential(projection, nn.BatchNorm2d(channels))
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(channels_in),
            nn.Conv2d(channels_in, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.PReLU(channels),
            nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, features: Features) -> Float[Tensor, "b c_out h_out w_out"]:
        return self.res_layer(features) + self.shortcut_layer(features)


def _blocks() -> nn.Sequential:
    blocks, width = [], STAGES[0][0]
    for channels, count in STAGES:
        for place in range(count):
            blocks.append(_ImprovedResidual(width, channels, 2 if place == 0 else 1))
            width = channels
    return nn.Sequential(*blocks)


class AdaFaceIr101(nn.Module):
    """Identity embeddings of faces in ArcFace alignment (BGR, 112 x 112, in [-1, 1])."""

    def __init__(self) -> None:
        super().__init__()
        first, last = STAGES[0][0], STAGES[-1][0]
        stem = nn.Conv2d(3, first, 3, padding=1, bias=False)
        self.input_layer = nn.Sequential(stem, nn.BatchNorm2d(first), nn.PReLU(first))
        self.body = _blocks()
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(last),
            nn.Dropout(0.4),
            nn.Flatten(),
            nn.Linear(last * (SIDE // 16) ** 2, EMBEDDING),
            nn.BatchNorm1d(EMBEDDING, affine=False),
        )

    def forward(self, faces: Float[Tensor, "b 3 112 112"]) -> Float[Tensor, "b 512"]:
        """Embeddings, not normalised; their length grows with the quality of the image."""
        return self.output_layer(self.body(self.input_layer(faces)))
