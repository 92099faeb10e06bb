"""Plain reconstruction by the VQ autoencoder: what the codebook alone makes of a degraded face."""

import torch
from jaxtyping import Float
from torch import Tensor

from src.networks import Reconstruction, VqAutoencoder


class VqganRestorer:
    """Each latent vector of the degraded face is replaced by its nearest code, without code prediction (`Restorer`)."""

    name = "vqgan"
    network_evaluations = 1

    def __init__(self, network: VqAutoencoder) -> None:
        self._network = network.eval()
        self.image_size: int | None = network.size.image_size
        self.knobs: dict[str, float | int | bool] = {}

    @property
    def parameters(self) -> int:
        """Parameters of encoder, codebook and generator."""
        return sum(parameter.numel() for parameter in self._network.parameters())

    @torch.no_grad()
    def restore(self, lq: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """The reconstruction, clamped to [-1, 1]."""
        reconstruction: Reconstruction = self._network(lq)
        return reconstruction.image.clamp(-1, 1)
