"""What the score model is told of a degraded face (clr_face.md 4)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.networks.identity_recovery import EmbeddingRecovery, IdentityRecovery
from src.networks.latent_autoencoder import LatentAutoencoder
from src.networks.latent_encoder import LatentEncoder
from src.settings.errors import UserError


class LatentCondition(nn.Module):
    """The latent of the degraded face and, with a recovery, the clean encoder's latent of the recovered face behind it."""

    def __init__(
        self, encoder: LatentEncoder, autoencoder: LatentAutoencoder, recovery: IdentityRecovery | None
    ) -> None:
        super().__init__()
        self.encoder, self.autoencoder, self.recovery = encoder, autoencoder, recovery

    @property
    def channels(self) -> int:
        """Channels k of the condition."""
        return self.autoencoder.size.code_dim * (1 if self.recovery is None else 2)

    def forward(self, degraded: Float[Tensor, "b 3 h_face w_face"]) -> Float[Tensor, "b k h w"]:
        """Normalised latents of degraded faces in [-1, 1], float32; that of the degraded encoder comes first."""
        latent = self.encoder(degraded)
        if self.recovery is not None:
            latent = torch.cat([latent, self.autoencoder.latent_of(self.recovery(degraded))], dim=1)
        return latent.float()


def shown_recovery(recovery: IdentityRecovery | EmbeddingRecovery | None) -> IdentityRecovery:
    """The recovery, for conditions that hold the latent of its face. Raises UserError if it gives no face."""
    if not isinstance(recovery, IdentityRecovery):
        raise UserError(
            "latent_score.condition: degraded_and_recovered needs the recovered face, which this identity recovery does not "
            "give; train it with identity_recovery.output=image, or choose degraded"
        )
    return recovery
