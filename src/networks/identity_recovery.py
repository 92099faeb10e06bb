"""What an Identity Recovery Network knows of a degraded face: the face itself, or its identity embedding (clr_face.md 5)."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from src.networks.recogniser import Recogniser

Faces = Float[Tensor, "b 3 h w"]
Embed = Callable[[Tensor], Tensor]
"""Faces in [-1, 1] to unit-norm embeddings "b d"."""


class IdentityRecovery(nn.Module):
    """A regressor of images in [0, 1] (SwinIR, U-Net), applied to faces in [-1, 1]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def unclamped(self, degraded: Faces) -> Faces:
        """Recovered faces around [-1, 1], float32."""
        # In bfloat16 the step from [0, 1] to [-1, 1] would round dark tones away.
        return self.network((degraded + 1) / 2).float() * 2 - 1

    def forward(self, degraded: Faces) -> Faces:
        """Recovered faces in [-1, 1], float32."""
        return self.unclamped(degraded).clamp(-1, 1)

    def embedding(self, degraded: Faces, embed: Embed) -> Float[Tensor, "b d"]:
        """Embeddings of the recovered faces."""
        return embed(self(degraded))


class EmbeddingRecovery(nn.Module):
    """A regressor of the embedding alone: cheaper, and nothing to be looked at."""

    def __init__(self, network: Recogniser) -> None:
        super().__init__()
        self.network = network

    def embedding(self, degraded: Faces, embed: Embed) -> Float[Tensor, "b d"]:
        """Unit-norm embeddings of degraded faces in [-1, 1], those that `embed` is expected to give for the clean ones."""
        return self.network(degraded)


def identity_recovery(network: nn.Module) -> IdentityRecovery | EmbeddingRecovery:
    """The recovery that a trained network makes: a recogniser gives embeddings, every other network faces."""
    return EmbeddingRecovery(network) if isinstance(network, Recogniser) else IdentityRecovery(network)
