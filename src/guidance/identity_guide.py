"""The loss that guides a face towards an identity: the cosine of a recogniser's embeddings (clr_face.md 7)."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cosine_similarity

from src.losses.identity import Embed

Decode = Callable[[Tensor], Tensor]
"""Normalised latents "b c h w" to faces "b 3 h w" in [-1, 1], with gradient."""


def identity_distance(
    embed: Embed, faces: Float[Tensor, "b 3 h w"], target: Float[Tensor, "b d"]
) -> Float[Tensor, "b"]:
    """1 - cosine of a face's embedding and its target, in [0, 2]."""
    return 1 - cosine_similarity(embed(faces).float(), target.float(), dim=1)


@dataclass(frozen=True, eq=False)
class IdentityGuide:
    """L(z0) = 1 - cos(embed(decode(z0)), target) + constraint mean |z0 - anchor|^2 of each face.

    Whether the decoder quantises, straight through, is the choice of who passes `decode`. The constraint's gradient is
    masked with that of the cosine.
    """

    embed: Embed
    """The guide's recogniser; never the one that evaluates."""
    decode: Decode
    target: Float[Tensor, "b d"]
    """Embedding to which each face is led."""
    anchor: Float[Tensor, "b c h w"] | None = None
    """Latent of the recovered face; None leaves the constraint out."""
    constraint: int | float = 0.0

    def __call__(self, z0: Float[Tensor, "b c h w"]) -> Float[Tensor, "b"]:
        """The loss of clean latents."""
        # Copies, for tensors that were born in inference mode cannot be differentiated through.
        loss = identity_distance(self.embed, self.decode(z0), self.target.clone())
        if self.anchor is None or self.constraint == 0:
            return loss
        return loss + self.constraint * (z0 - self.anchor.clone()).square().mean((1, 2, 3))
