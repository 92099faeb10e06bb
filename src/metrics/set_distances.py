"""Distances between two sets of feature vectors."""

import numpy as np
from jaxtyping import Float

First = Float[np.ndarray, "n d"]
Second = Float[np.ndarray, "m d"]


def frechet_distance(first: First, second: Second) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) with sample means and unbiased covariances, in float64.

    The trace of the root is the sum of the singular values of C1^(1/2) C2^(1/2), which needs no complex arithmetic.
    Raises ValueError below two samples a side.
    """
    if min(len(first), len(second)) < 2:
        raise ValueError("a Frechet distance needs at least two faces on each side")
    a, b = first.astype(np.float64), second.astype(np.float64)
    roots = [_square_root(np.cov(features, rowvar=False)) for features in (a, b)]
    means = ((a.mean(0) - b.mean(0)) ** 2).sum()
    traces = sum(float((root**2).sum()) for root in roots)
    return float(means + traces - 2 * np.linalg.svd(roots[0] @ roots[1], compute_uv=False).sum())


def _square_root(covariance: np.ndarray) -> Float[np.ndarray, "d d"]:
    values, vectors = np.linalg.eigh(np.atleast_2d(covariance))
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T


def kernel_distance(first: First, second: Second) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x.y / d + 1)^3 over all pairs (KID, arXiv 1801.01401).

    Raises ValueError below two samples a side.
    """
    m, n = len(first), len(second)
    if min(m, n) < 2:
        raise ValueError("a kernel distance needs at least two faces on each side")
    a, b = first.astype(np.float64), second.astype(np.float64)
    within = [_off_diagonal_mean(_kernel(x, x)) for x in (a, b)]
    return float(sum(within) - 2 * _kernel(a, b).mean())


def _kernel(a: First, b: Second) -> Float[np.ndarray, "n m"]:
    return (a @ b.T / a.shape[1] + 1) ** 3


def _off_diagonal_mean(gram: Float[np.ndarray, "n n"]) -> float:
    n = len(gram)
    return float((gram.sum() - np.trace(gram)) / (n * (n - 1)))
