"""Distances between two sets of feature vectors."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

First = Float[np.ndarray, "n d"]
Second = Float[np.ndarray, "m d"]


@dataclass(frozen=True)
class Moments:
    """What a Frechet distance needs to know of a set of feature vectors."""

    mean: Float[np.ndarray, "d"]
    root: Float[np.ndarray, "k d"]
    """Any R with R^T R equal to the unbiased covariance."""


def moments(features: First) -> Moments:
    """Sample mean and a root of the unbiased covariance, in float64; ValueError below two samples.

    The centred samples are such a root themselves. Of more samples than features, QR keeps d rows.
    """
    n, d = features.shape
    if n < 2:
        raise ValueError("a Frechet distance needs at least two faces on each side")
    mean = features.mean(0, dtype=np.float64)
    centred = (features - mean) / np.sqrt(n - 1)
    return Moments(mean, centred if n <= d else np.asarray(np.linalg.qr(centred, mode="r")))


def moments_of_covariance(mean: Float[np.ndarray, "d"], covariance: Float[np.ndarray, "d d"]) -> Moments:
    """Moments from a mean and a covariance, whose eigenvalues below zero are rounding and count as zero."""
    values, vectors = np.linalg.eigh(covariance.astype(np.float64))
    return Moments(mean.astype(np.float64), np.sqrt(values.clip(min=0))[:, None] * vectors.T)


def frechet_between(first: Moments, second: Moments) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) (FID, arXiv 1706.08500).

    With C = R^T R the trace of the root is the sum of the singular values of R1 R2^T: no root of a matrix, no complex
    numbers, and exact for singular covariances.
    """
    means = float(((first.mean - second.mean) ** 2).sum())
    traces = float((first.root**2).sum() + (second.root**2).sum())
    common = float(np.linalg.svd(first.root @ second.root.T, compute_uv=False).sum())
    return max(means + traces - 2 * common, 0.0)


def frechet_distance(first: First, second: Second) -> float:
    """`frechet_between` the samples' moments; ValueError below two samples a side."""
    return frechet_between(moments(first), moments(second))


def kernel_distance(first: First, second: Second) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x.y / d + 1)^3 over all pairs (KID, arXiv 1801.01401).

    In float64. Raises ValueError below two samples a side.
    """
    if min(len(first), len(second)) < 2:
        raise ValueError("a kernel distance needs at least two faces on each side")
    a, b = first.astype(np.float64), second.astype(np.float64)
    within = [_off_diagonal_mean(_kernel(x, x)) for x in (a, b)]
    return float(sum(within) - 2 * _kernel(a, b).mean())


def paired_kernel_distance(first: First, second: First) -> float:
    """`kernel_distance` of sets whose rows belong together, without the pairs of a row with its own partner.

    Partners are not independent draws: with them the mean over equal distributions lies below 0, the further the more
    alike partners are (the U-statistic of Gretton et al., JMLR 2012, lemma 6). Equal sets have exactly 0, up to rounding.
    Raises ValueError below two rows.
    """
    if len(first) < 2:
        raise ValueError("a kernel distance needs at least two faces on each side")
    a, b = first.astype(np.float64), second.astype(np.float64)
    within = [_off_diagonal_mean(_kernel(x, x)) for x in (a, b)]
    return float(sum(within) - 2 * _off_diagonal_mean(_kernel(a, b)))


def _kernel(a: First, b: Second) -> Float[np.ndarray, "n m"]:
    return (a @ b.T / a.shape[1] + 1) ** 3


def _off_diagonal_mean(gram: Float[np.ndarray, "n n"]) -> float:
    n = len(gram)
    return float((gram.sum() - np.trace(gram)) / (n * (n - 1)))
