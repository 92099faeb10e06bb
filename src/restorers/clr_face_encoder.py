"""CLR-Face without its score model: the single-stage baseline that it has to beat (clr_face.md 3)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from src.networks.latent_autoencoder import LatentAutoencoder
from src.networks.latent_encoder import LatentEncoder
from src.restorers.difface import refuse_side
from src.restorers.knobs import Knobs
from src.restorers.precision import EXACT, Precision

Faces = Float[Tensor, "b 3 h w"]


class ClrFaceEncoderRestorer:
    """G(q(E_lq(y))) (`Restorer`); fp32 at every precision, since codes are decided by small margins."""

    name = "clr_face_encoder"
    network_evaluations = 2

    def __init__(self, encoder: LatentEncoder, autoencoder: LatentAutoencoder, precision: Precision = EXACT) -> None:
        self._encoder, self._autoencoder = encoder, autoencoder
        for network in (encoder, autoencoder):
            precision.ordered(network)
        self.image_size: int | None = encoder.size.image_size
        self.knobs: Knobs = {}

    @property
    def parameters(self) -> int:
        """Parameters of the encoder of degraded faces, codebook and generator."""
        modules = (self._encoder, self._autoencoder.quantize, self._autoencoder.generator)
        return sum(weight.numel() for module in modules for weight in module.parameters())

    @torch.inference_mode()
    def restore(self, lq: Faces, keys: Sequence[int] = ()) -> Faces:
        """The decoded latents, clamped to [-1, 1].

        Raises:
            UserError: the networks do not take faces of this side.
        """
        refuse_side(lq, 2 ** (len(self._encoder.size.multipliers) - 1), "the latent encoder")
        return self._autoencoder.decoded(self._encoder(lq)).float().clamp(-1, 1)
