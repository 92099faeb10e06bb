"""The networks of CLR-Face that belong together, and what they see in a degraded face (clr_face.md 1)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.diffusion.noise_level import LatentProcess
from src.losses.identity import IdentityLoss
from src.networks.identity_recovery import EmbeddingRecovery, IdentityRecovery
from src.networks.latent_autoencoder import LatentAutoencoder
from src.networks.latent_encoder import LatentEncoder
from src.networks.latent_mask import AdaptiveLatentMask, GlobalLatentMask
from src.networks.latent_score import LatentScoreUnet

Faces = Float[Tensor, "b 3 h_face w_face"]
Latent = Float[Tensor, "b c h w"]


@dataclass(frozen=True, kw_only=True)
class ClrFaceNetworks:
    """A trained system, all of it on one device; without mask, guide or recovery it can only restore unguided."""

    autoencoder: LatentAutoencoder
    encoder: LatentEncoder
    score: LatentScoreUnet
    process: LatentProcess
    process_name: str
    """`vp`, `ve` or `ddpm`."""
    sees_recovered: bool
    """Whether the score model is told the recovered face's latent too (condition `degraded_and_recovered`)."""
    recovery: IdentityRecovery | EmbeddingRecovery | None = None
    mask: GlobalLatentMask | AdaptiveLatentMask | None = None
    guide: IdentityLoss | None = None

    @property
    def modules(self) -> list[nn.Module]:
        """Every network that is there."""
        found = (self.autoencoder, self.encoder, self.score, self.recovery, self.mask, self.guide)
        return [module for module in found if module is not None]


@dataclass(frozen=True)
class SeenFace:
    """A batch of degraded faces as CLR-Face's networks see them."""

    degraded: Faces
    latent: Latent
    """z_lq, the degraded faces' latent."""
    recovered: Faces | None
    """What the identity recovery makes of them; None where nothing needs it."""
    recovered_latent: Latent | None

    @property
    def condition(self) -> Float[Tensor, "b k h w"]:
        """What a score model that sees the recovered face is told; the first channels are those of the others."""
        return self.latent if self.recovered_latent is None else torch.cat([self.latent, self.recovered_latent], dim=1)
