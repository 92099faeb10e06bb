"""Reconstruction by CLR-Face's autoencoder: what a latent of its size can hold at best (clr_face.md 2)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from src.networks.latent_autoencoder import LatentAutoencoder
from src.restorers.knobs import Knobs
from src.restorers.precision import EXACT, Precision


class LatentAutoencoderRestorer:
    """Faces through encoder, codebook and generator (`Restorer`); meant for clean ones."""

    name = "latent_autoencoder"
    network_evaluations = 1

    def __init__(self, network: LatentAutoencoder, precision: Precision = EXACT) -> None:
        self._network = network
        self._precision = precision
        self.image_size: int | None = network.size.image_size

    @property
    def knobs(self) -> Knobs:
        """By how much the latent's side is smaller than the face's."""
        return {"downscale": 2 ** (len(self._network.size.multipliers) - 1)}

    @property
    def parameters(self) -> int:
        """Parameters of encoder, codebook and generator."""
        return sum(parameter.numel() for parameter in self._network.parameters())

    @torch.inference_mode()
    def restore(self, lq: Float[Tensor, "b 3 h w"], keys: Sequence[int] = ()) -> Float[Tensor, "b 3 h w"]:
        """The reconstruction, clamped to [-1, 1]."""
        with self._precision.autocast(lq.device):
            image = self._network(lq).image
        return image.float().clamp(-1, 1)
