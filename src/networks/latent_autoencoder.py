"""VQ autoencoder with a large latent, which knows the statistics that normalise it (clr_face.md 2)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.networks.vq_autoencoder import VqAutoencoder
from src.settings.scale import VqAutoencoderSize


class NormalisedLatent(nn.Module):
    """Mean and deviation of every channel of a latent, by which it is brought to mean 0 and deviation 1.

    Both are buffers, so that weights files keep them; until they are set, normalising changes nothing.
    """

    latent_mean: Tensor
    latent_deviation: Tensor

    def _register_statistics(self, channels: int) -> None:
        self.register_buffer("latent_mean", torch.zeros(channels))
        self.register_buffer("latent_deviation", torch.ones(channels))

    @torch.no_grad()
    def set_statistics(self, mean: Float[Tensor, "d"], deviation: Float[Tensor, "d"]) -> None:
        """Set each channel's mean and deviation over the training faces.

        Raises ValueError unless there is one of each a channel, all finite, and the deviations are positive.
        """
        if not mean.shape == deviation.shape == self.latent_mean.shape:
            raise ValueError(
                f"expected {len(self.latent_mean)} channels, got {tuple(mean.shape)}, {tuple(deviation.shape)}"
            )
        if not bool(mean.isfinite().all() and deviation.isfinite().all() and (deviation > 0).all()):
            raise ValueError(f"means must be finite, deviations positive, got {mean.tolist()} and {deviation.tolist()}")
        self.latent_mean.copy_(mean)
        self.latent_deviation.copy_(deviation)

    def normalised(self, latent: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
        """Latent z of mean 0 and deviation 1 of an encoder's output; float32 under autocast too."""
        return (latent.float() - _per_channel(self.latent_mean)) / _per_channel(self.latent_deviation)

    def denormalised(self, z: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
        """What codebook and generator know, from a normalised latent; float32 under autocast too."""
        return z.float() * _per_channel(self.latent_deviation) + _per_channel(self.latent_mean)


class LatentAutoencoder(NormalisedLatent, VqAutoencoder):
    """Encoder E, codebook q and generator G; the later stages of CLR-Face work in its normalised latent z.

    z is the continuous output of the encoder: the quantiser belongs to decoding, as in Latent Diffusion (arXiv 2112.10752).
    """

    def __init__(self, size: VqAutoencoderSize) -> None:
        super().__init__(size)
        self._register_statistics(size.code_dim)

    def latent_of(self, image: Float[Tensor, "b 3 h_image w_image"]) -> Float[Tensor, "b d h w"]:
        """Normalised latents of images in [-1, 1], float32."""
        return self.normalised(self.encode(image))

    def decoded(self, z: Float[Tensor, "b d h w"]) -> Float[Tensor, "b 3 h_image w_image"]:
        """G(q(z)): images around [-1, 1]; the gradient passes straight through the quantiser."""
        return self.decode(self.quantize(self.denormalised(z)).latent)

    def decoded_continuous(self, z: Float[Tensor, "b d h w"]) -> Float[Tensor, "b 3 h_image w_image"]:
        """G(z), without the quantiser: images around [-1, 1]."""
        return self.decode(self.denormalised(z))


def _per_channel(values: Float[Tensor, "d"]) -> Float[Tensor, "d 1 1"]:
    return values.float().view(-1, 1, 1)
