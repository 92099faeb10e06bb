"""ArcFace's small recogniser of grey faces, by which GFPGAN is trained and VQFR measures angles; keys as in its file.

The layout is written down from public descriptions of that network; the published file was not at hand to prove it.
"""

from jaxtyping import Float
from torch import Tensor, nn

Features = Float[Tensor, "b c h w"]
SIDE = 128
"""Side of the faces that it takes, pixels."""
WIDTHS = (64, 128, 256, 512)
"""Channels of the four stages of two blocks; every stage after the first halves the side."""
EMBEDDING = 512


class _ImprovedResidual(nn.Module):
    """BatchNorm, 3x3, BatchNorm, PReLU, 3x3, BatchNorm; PReLU after the sum."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels_in, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.prelu = nn.PReLU()
        self.conv2 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels_in != channels:
            projection = nn.Conv2d(channels_in, channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(channels))

    def forward(self, features: Features) -> Float[Tensor, "b c_out h_out w_out"]:
        inner = self.prelu(self.bn1(self.conv1(self.bn0(features))))
        kept = features if self.downsample is None else self.downsample(features)
        return self.prelu(self.bn2(self.conv2(inner)) + kept)


def _stage(channels_in: int, channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(_ImprovedResidual(channels_in, channels, stride), _ImprovedResidual(channels, channels, 1))


class ArcFaceResNet18(nn.Module):
    """Identity embeddings of whole FFHQ-aligned faces (grey, 128 x 128, in [-1, 1])."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.prelu = nn.PReLU()
        self.maxpool = nn.MaxPool2d(2)
        self.layer1 = _stage(WIDTHS[0], WIDTHS[0], 1)
        self.layer2 = _stage(WIDTHS[0], WIDTHS[1], 2)
        self.layer3 = _stage(WIDTHS[1], WIDTHS[2], 2)
        self.layer4 = _stage(WIDTHS[2], WIDTHS[3], 2)
        self.bn4 = nn.BatchNorm2d(WIDTHS[3])
        self.fc5 = nn.Linear(WIDTHS[3] * (SIDE // 16) ** 2, EMBEDDING)
        self.bn5 = nn.BatchNorm1d(EMBEDDING)

    def forward(self, faces: Float[Tensor, "b 1 128 128"]) -> Float[Tensor, "b 512"]:
        """Embeddings, not normalised."""
        features = self.maxpool(self.prelu(self.bn1(self.conv1(faces))))
        features = self.layer4(self.layer3(self.layer2(self.layer1(features))))
        return self.bn5(self.fc5(self.bn4(features).flatten(1)))
