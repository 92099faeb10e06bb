"""Whose embedding identity guidance leads a face to (clr_face.md 5 and 7)."""

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor

from src.losses.identity import Embed
from src.networks.identity_recovery import EmbeddingRecovery
from src.restorers.clr_face_networks import ClrFaceNetworks, SeenFace

Oracle = Callable[[Sequence[int]], Tensor]
"""The keys of a batch to its clean faces "b 3 h w" in [-1, 1], which only a benchmark knows."""


def target_embedding(
    target: str, networks: ClrFaceNetworks, seen: SeenFace, keys: Sequence[int], oracle: Oracle | None
) -> Float[Tensor, "b d"]:
    """The guide's embedding of the recovered, the degraded (`input`) or the clean face (`oracle`).

    A recovery of embeddings alone gives its own, as if the guide had seen the clean face. The networks and the oracle that
    the target needs must be there (`check_guidance`).
    """
    assert networks.guide is not None
    embed: Embed = networks.guide.embed
    if target == "input":
        return embed(seen.degraded)
    if target == "oracle":
        assert oracle is not None
        return embed(oracle(keys).to(seen.degraded))
    if isinstance(networks.recovery, EmbeddingRecovery):
        return networks.recovery.embedding(seen.degraded, embed)
    assert seen.recovered is not None
    return embed(seen.recovered)
