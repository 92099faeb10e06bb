"""What faces are compared in by metric learning: unit vectors at every position of some maps of frozen features.

Source: codeformer_plus_plus.md, section 6.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from src.networks.st_lpips import ShiftTolerantLpips
from src.networks.vgg19_features import Vgg19Features

Image = Float[Tensor, "b 3 h w"]
FeatureMaps = list[Float[Tensor, "b _ _ _"]]

SMALLEST_NORM = 1e-6
"""Shorter vectors are divided by this instead of by their norm, which keeps gradients finite where nothing is active."""


class FeatureSpace(nn.Module, ABC):
    """Maps faces to unit vectors at positions; frozen and in eval mode for good, gradients reach the image only."""

    name: str
    network: Callable[[Tensor], Tensor | list[Tensor]]

    def __init__(self, network: Callable[[Tensor], Tensor | list[Tensor]]) -> None:
        super().__init__()
        self.network = network
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "FeatureSpace":
        """Stay in eval mode."""
        return super().train(False)

    def forward(self, image: Image) -> FeatureMaps:
        """Maps "b c h_layer w_layer" of RGB faces in [-1, 1], float32, of unit norm over c."""
        return [normalize(features.float(), dim=1, eps=SMALLEST_NORM) for features in self.features(image)]

    @abstractmethod
    def features(self, image: Image) -> FeatureMaps:
        """The maps before they are normalised."""


class Vgg19Space(FeatureSpace):
    """relu2_2, relu3_4 and relu4_4 of ImageNet's VGG-19: the sheet's choice."""

    name = "vgg19"
    network: Vgg19Features

    def __init__(self, network: Vgg19Features) -> None:
        super().__init__(network)

    def features(self, image: Image) -> FeatureMaps:
        """Three maps, at 1/2, 1/4 and 1/8 of the side."""
        return self.network(image)


class StLpipsSpace(FeatureSpace):
    """The five depths of shift-tolerant LPIPS's trunk, the stand-in where VGG-19 is not at hand."""

    name = "st_lpips"
    network: ShiftTolerantLpips

    def __init__(self, network: ShiftTolerantLpips) -> None:
        super().__init__(network)

    def features(self, image: Image) -> FeatureMaps:
        """Five maps."""
        return self.network.net(self.network.scaling_layer(image))


class IdentitySpace(FeatureSpace):
    """One identity embedding a face: an ablation, as good as blind to texture.

    `network` gives "b d" for RGB faces in [-1, 1], differentiably; if it is a module, it is frozen.
    """

    name = "identity"
    network: Callable[[Tensor], Tensor]

    def __init__(self, network: Callable[[Tensor], Tensor]) -> None:
        super().__init__(network)

    def features(self, image: Image) -> FeatureMaps:
        """One map of one position."""
        return [self.network(image)[:, :, None, None]]


class PixelSpace(FeatureSpace):
    """All pixels of a face, in [-1, 1], as one vector: an ablation, as good as blind to texture."""

    name = "pixels"
    network: nn.Flatten

    def __init__(self) -> None:
        super().__init__(nn.Flatten())

    def features(self, image: Image) -> FeatureMaps:
        """One map of one position."""
        return [self.network(image)[:, :, None, None]]


def layer_cosines(first: FeatureMaps, second: FeatureMaps) -> Float[Tensor, "b layers"]:
    """Mean over the positions of each map of the cosine there."""
    return torch.stack([(a * b).sum(1).mean((1, 2)) for a, b in zip(first, second, strict=True)], dim=1)


def cosines(first: FeatureMaps, second: FeatureMaps) -> Float[Tensor, "b"]:
    """Mean over the maps of `layer_cosines`."""
    return layer_cosines(first, second).mean(1)
