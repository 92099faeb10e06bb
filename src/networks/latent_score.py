"""Conditional score model in the latent space (clr_face.md 4)."""

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn

from src.networks.diffusion_unet import DiffusionUnet
from src.settings.scale import DiffusionUnetSize


class LatentScoreUnet(nn.Module):
    """UNet that predicts the noise in a noised latent; the condition is concatenated to it, channel by channel.

    The score is -epsilon / sigma. ValueError for sizes that `DiffusionUnet` refuses.
    """

    def __init__(self, size: DiffusionUnetSize, latent_channels: int, condition_channels: int) -> None:
        super().__init__()
        self.size = size
        self.latent_channels, self.condition_channels = latent_channels, condition_channels
        self.unet = DiffusionUnet(size, latent_channels + condition_channels, latent_channels)

    @property
    def stride(self) -> int:
        """Number of which the sides of a latent must be multiples."""
        return self.unet.stride

    def forward(
        self, z: Float[Tensor, "b c h w"], time: Num[Tensor, " b"], condition: Float[Tensor, "b k h w"]
    ) -> Float[Tensor, "b c h w"]:
        """Predicted noise, float32 under autocast too.

        `z` is a noised latent, scaled to a deviation of about 1; `time` lies on the scale of 0 to 999; `condition` is the
        normalised latent of the degraded face and whatever else was concatenated in training. ValueError for sides that
        are no multiples of `stride`.
        """
        return self.unet(torch.cat([z, condition], dim=1), time)
