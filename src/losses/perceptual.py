"""Perceptual distances as training losses (codeformer.md 2.1); the networks are frozen for good."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.networks.st_lpips import ShiftTolerantLpips

Image = Float[Tensor, "b 3 h w"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class PerceptualLoss(nn.Module, ABC):
    """Mean distance of restored faces to their targets, both RGB in [-1, 1]."""

    name: str

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "PerceptualLoss":
        """Stay in eval mode."""
        return super().train(False)

    @abstractmethod
    def forward(self, restored: Image, target: Image) -> Float[Tensor, ""]:
        """The loss; gradients flow to `restored` only."""


class StLpipsLoss(PerceptualLoss):
    """Shift-tolerant LPIPS, the stand-in where the VGG trunk of LPIPS is not at hand."""

    name = "st_lpips"

    def __init__(self, network: ShiftTolerantLpips) -> None:
        super().__init__(network)

    def forward(self, restored: Image, target: Image) -> Float[Tensor, ""]:
        """Mean distance over the batch."""
        return self.network(restored, target.detach()).mean()


class LpipsVggLoss(PerceptualLoss):
    """LPIPS with VGG-16 as CodeFormer trains with it.

    The images are mapped to [0, 1] and normalised with ImageNet's statistics before LPIPS, which expects [-1, 1] and
    normalises again: the published double normalisation, kept so that the loss weights mean what they meant.
    """

    name = "lpips_vgg"
    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, restored: Image, target: Image) -> Float[Tensor, ""]:
        """Mean distance over the batch."""
        return self.network(self._normalised(restored), self._normalised(target.detach())).mean()

    def _normalised(self, image: Image) -> Image:
        return ((image + 1) / 2 - self.mean) / self.std
