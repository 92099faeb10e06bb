"""VQ autoencoder of stage I."""

from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor, nn

from src.networks.encoder import Encoder
from src.networks.generator import Generator
from src.networks.vector_quantizer import VectorQuantizer
from src.settings.scale import VqAutoencoderSize


class Reconstruction(NamedTuple):
    """What the autoencoder computes from an image."""

    image: Float[Tensor, "b 3 h_image w_image"]
    """Reconstruction; aims at [-1, 1] but is unbounded."""
    codes: Int[Tensor, "b h w"]
    codebook_loss: Float[Tensor, ""]
    latent: Float[Tensor, "b d h w"]
    """Encoder output before quantisation."""


class VqAutoencoder(nn.Module):
    """Encoder, codebook and generator (codeformer.md 1.1); sides must be multiples of the total stride."""

    def __init__(self, size: VqAutoencoderSize) -> None:
        super().__init__()
        self.size = size
        self.encoder = Encoder(size)
        self.quantize = VectorQuantizer(size.codebook_size, size.code_dim)
        self.generator = Generator(size)

    @property
    def last_layer(self) -> nn.Parameter:
        """Weight of the last generator convolution, to which the adaptive GAN weight refers (codeformer.md 2.1)."""
        return self.generator.last_layer

    def encode(self, image: Float[Tensor, "b 3 h_image w_image"]) -> Float[Tensor, "b d h w"]:
        """Encoder output of images in [-1, 1]."""
        return self.encoder(image).latent

    def decode(self, latent: Float[Tensor, "b d h w"]) -> Float[Tensor, "b 3 h_image w_image"]:
        """Image of a latent, which should consist of codebook entries."""
        return self.generator(latent)

    def codes(self, image: Float[Tensor, "b 3 h_image w_image"]) -> Int[Tensor, "b h w"]:
        """Code indices of images in [-1, 1]."""
        return self.quantize.nearest(self.encode(image))

    def forward(self, image: Float[Tensor, "b 3 h_image w_image"], beta: float = 0.25) -> Reconstruction:
        """Reconstruct images in [-1, 1]; `beta` weighs the codebook's movement (see `VectorQuantizer.forward`)."""
        latent = self.encode(image)
        quantized = self.quantize(latent, beta)
        return Reconstruction(self.decode(quantized.latent), quantized.codes, quantized.codebook_loss, latent)
