"""Encoder of degraded faces to the normalised latent of the clean ones (clr_face.md 3)."""

import torch
from jaxtyping import Float
from torch import Tensor

from src.networks.encoder import Encoder
from src.networks.latent_autoencoder import LatentAutoencoder, NormalisedLatent
from src.settings.scale import VqAutoencoderSize


class LatentEncoder(NormalisedLatent):
    """E_lq: the autoencoder's encoder with weights of its own, and the statistics of the clean latent."""

    def __init__(self, size: VqAutoencoderSize) -> None:
        super().__init__()
        self.size = size
        self.encoder = Encoder(size)
        self._register_statistics(size.code_dim)

    @classmethod
    def of(cls, autoencoder: LatentAutoencoder) -> "LatentEncoder":
        """The clean encoder as it is, copied: what training starts from."""
        with torch.device("meta"):
            encoder = cls(autoencoder.size)
        own = encoder.state_dict().keys()
        state = {key: tensor.clone() for key, tensor in autoencoder.state_dict().items() if key in own}
        encoder.load_state_dict(state, assign=True)
        return encoder

    def forward(self, face: Float[Tensor, "b 3 h_image w_image"]) -> Float[Tensor, "b d h w"]:
        """Normalised latents of faces in [-1, 1], float32 under autocast too."""
        return self.normalised(self.encoder(face).latent)
