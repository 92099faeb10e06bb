"""MobileFaceNet: a small face recogniser with 128-d embeddings; keys as in the public weights file."""

from jaxtyping import Float
from torch import Tensor, nn

Features = Float[Tensor, "b c h w"]
STAGES = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
"""Expansion, channels, repeats and first stride of the inverted-residual stages."""


def _conv_bn_relu6(channels_in: int, channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(channels_in, channels, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU6())


class _DepthwiseSeparable(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, features: Features) -> Features:
        return self.bn2(self.pointwise(self.bn1(self.depthwise(features)).relu())).relu()


class _InvertedResidual(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels_in * expansion
        self.has_skip = stride == 1 and channels_in == channels
        self.conv = nn.Sequential(
            _conv_bn_relu6(channels_in, wide, 1),
            _conv_bn_relu6(wide, wide, 3, stride, groups=wide),
            nn.Conv2d(wide, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, features: Features) -> Float[Tensor, "b c_out h_out w_out"]:
        return features + self.conv(features) if self.has_skip else self.conv(features)


class _GlobalDepthwise(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, features: Float[Tensor, "b c 7 7"]) -> Float[Tensor, "b c 1 1"]:
        return self.bn(self.depthwise(features))


def _blocks() -> nn.Sequential:
    blocks, width = [], 64
    for expansion, channels, repeats, first_stride in STAGES:
        for repeat in range(repeats):
            blocks.append(_InvertedResidual(width, channels, first_stride if repeat == 0 else 1, expansion))
            width = channels
    return nn.Sequential(*blocks)


class MobileFaceNet(nn.Module):
    """Identity embeddings of aligned faces (RGB, 112 x 112, ImageNet-normalised)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = _conv_bn_relu6(3, 64, 3, stride=2)
        self.dw_conv = _DepthwiseSeparable(64)
        self.features = _blocks()
        self.conv2 = _conv_bn_relu6(128, 512, 1)
        self.gdconv = _GlobalDepthwise(512)
        self.conv3 = nn.Conv2d(512, 128, 1)
        self.bn = nn.BatchNorm2d(128)

    def forward(self, faces: Float[Tensor, "b 3 112 112"]) -> Float[Tensor, "b 128"]:
        """Embeddings, not normalised."""
        features = self.conv2(self.features(self.dw_conv(self.conv1(faces))))
        return self.bn(self.conv3(self.gdconv(features))).flatten(1)
