"""Shift-tolerant LPIPS (ECCV 2022): an AlexNet trunk with blurred down-sampling and linear heads."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

Features = Float[Tensor, "b c h w"]
HEAD_CHANNELS = (64, 192, 384, 256, 256)
NORM_EPS = 1e-10


class BlurDownsample(nn.Module):
    """Depthwise 3 x 3 blur with stride 2, after reflecting two pixels on every side: n becomes ceil(n / 2) + 1."""

    filt: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("filt", torch.zeros(channels, 1, 3, 3))

    def forward(self, features: Features) -> Float[Tensor, "b c h_half w_half"]:
        """Blurred features at about half the resolution."""
        return conv2d(pad(features, (2, 2, 2, 2), mode="reflect"), self.filt, stride=2, groups=features.shape[1])


def _indexed(first: int, *layers: nn.Module) -> nn.Sequential:
    """Layers named by their place in the whole trunk, as the weights file names them."""
    slice_ = nn.Sequential()
    for index, layer in enumerate(layers, first):
        slice_.add_module(str(index), layer)
    return slice_


class _Trunk(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.slice1 = _indexed(0, nn.Conv2d(3, 64, 11, 1, 2), BlurDownsample(64), nn.ReLU())
        self.slice2 = _indexed(3, nn.MaxPool2d(3, 1), BlurDownsample(64), nn.Conv2d(64, 192, 5, padding=2), nn.ReLU())
        self.slice3 = _indexed(7, nn.MaxPool2d(3, 1), BlurDownsample(192), nn.Conv2d(192, 384, 3, padding=1), nn.ReLU())
        self.slice4 = _indexed(11, nn.Conv2d(384, 256, 3, padding=1), nn.ReLU())
        self.slice5 = _indexed(13, nn.Conv2d(256, 256, 3, padding=1), nn.ReLU())

    def forward(self, image: Features) -> list[Tensor]:
        features = []
        for slice_ in self.children():
            image = slice_(image)
            features.append(image)
        return features


class _Scaling(nn.Module):
    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.zeros(1, 3, 1, 1))
        self.register_buffer("scale", torch.ones(1, 3, 1, 1))

    def forward(self, image: Features) -> Features:
        return (image - self.shift) / self.scale


class _Head(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Dropout(), nn.Conv2d(channels, 1, 1, bias=False))

    def forward(self, difference: Features) -> Float[Tensor, "b 1 h w"]:
        return self.model(difference)


def _unit(features: Tensor) -> Tensor:
    # The clamp keeps the gradient finite where every channel is zero.
    norm = features.pow(2).sum(1, keepdim=True).clamp_min(NORM_EPS**2).sqrt()
    return features / (norm + NORM_EPS)


class ShiftTolerantLpips(nn.Module):
    """Perceptual distance of image pairs; not comparable with the papers' LPIPS.

    distance = sum over the five depths of the mean over positions of lin_k((a_k - b_k)^2), a_k and b_k of unit norm over
    channels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scaling_layer = _Scaling()
        self.net = _Trunk()
        for depth, channels in enumerate(HEAD_CHANNELS):
            self.add_module(f"lin{depth}", _Head(channels))

    def forward(self, first: Float[Tensor, "b 3 h w"], second: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b"]:
        """Distance of RGB images in [-1, 1]; 0 for equal ones, larger is less alike."""
        pairs = zip(self.net(self.scaling_layer(first)), self.net(self.scaling_layer(second)), strict=True)
        total = torch.zeros(first.shape[0], device=first.device)
        for depth, (a, b) in enumerate(pairs):
            head = self.get_submodule(f"lin{depth}")
            total = total + head((_unit(a) - _unit(b)) ** 2).mean((1, 2, 3))
        return total
