"""Plain reconstruction by the VQ autoencoder: what the codebook alone makes of a degraded face."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from src.networks import Reconstruction, VqAutoencoder
from src.restorers.knobs import Knobs
from src.restorers.precision import EXACT, Precision


class VqganRestorer:
    """Each latent vector of the degraded face is replaced by its nearest code, without code prediction (`Restorer`)."""

    name = "vqgan"
    network_evaluations = 1

    def __init__(self, network: VqAutoencoder, precision: Precision = EXACT) -> None:
        self._network = precision.prepared(network)
        self._precision = precision
        self.image_size: int | None = network.size.image_size
        self.knobs: Knobs = {}

    @property
    def parameters(self) -> int:
        """Parameters of encoder, codebook and generator."""
        return sum(parameter.numel() for parameter in self._network.parameters())

    @torch.inference_mode()
    def restore(self, lq: Float[Tensor, "b 3 h w"], keys: Sequence[int] = ()) -> Float[Tensor, "b 3 h w"]:
        """The reconstruction, clamped to [-1, 1]."""
        reconstruction: Reconstruction = self._network(self._precision.input(lq))
        return reconstruction.image.float().clamp(-1, 1)
