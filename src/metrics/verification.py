"""Face verification: how well an embedding tells same from different persons."""

import numpy as np
from jaxtyping import Bool, Float, Int


def pair_cosines(
    embeddings: Float[np.ndarray, "n d"], identities: Int[np.ndarray, "n"]
) -> tuple[Float[np.ndarray, "pairs"], Bool[np.ndarray, "pairs"]]:
    """Cosine of every pair of unit-norm embeddings, and whether it shows one person."""
    first, second = np.triu_indices(len(embeddings), k=1)
    return (embeddings @ embeddings.T)[first, second], identities[first] == identities[second]


def area_under_curve(scores: Float[np.ndarray, "n"], positive: Bool[np.ndarray, "n"]) -> float:
    """Chance that a positive scores higher than a negative (ties count half); NaN without both kinds."""
    negatives, positives = np.sort(scores[~positive]), scores[positive]
    if not len(negatives) or not len(positives):
        return float("nan")
    below = np.searchsorted(negatives, positives, side="left")
    not_above = np.searchsorted(negatives, positives, side="right")
    return float((below + not_above).mean() / (2 * len(negatives)))
