"""Gaussian blur kernels on integer offsets (codeformer.md 3, step 3)."""

import numpy as np
from jaxtyping import Float

_NEGLIGIBLE = 1e-9


def gaussian_taps(size: int, sigma: float) -> Float[np.ndarray, "k"]:
    """The isotropic kernel along one axis: exp(-x^2 / (2 sigma^2)) on -size//2..size//2, sum 1, float64.

    The square cut keeps the isotropic kernel separable: it is the outer product of these taps with themselves.
    """
    offsets = np.arange(size) - size // 2
    taps = np.exp(-0.5 * (offsets / sigma) ** 2)
    return taps / taps.sum()


def gaussian_kernel(size: int, sigma_x: float, sigma_y: float, angle: float) -> Float[np.ndarray, "k k"]:
    """exp(-0.5 p^T S^-1 p) on integer offsets p = (x, y), S = R diag(sigma_x^2, sigma_y^2) R^T, sum 1, float64.

    `size` is odd, sigmas are in pixels, `angle` in radians turns the first axis from x towards y; rows are y.
    """
    offsets = np.arange(size) - size // 2
    x, y = offsets[None, :], offsets[:, None]
    along = (np.cos(angle) * x + np.sin(angle) * y) / sigma_x
    across = (np.cos(angle) * y - np.sin(angle) * x) / sigma_y
    weights = np.exp(-0.5 * (along**2 + across**2))
    return weights / weights.sum()


def trim(weights: Float[np.ndarray, "*k"]) -> Float[np.ndarray, "*_"]:
    """The centred part of a symmetric kernel that holds all taps above 1e-9 of the largest.

    What is cut moves a blurred value in [0, 1] by less than 1e-6, and small kernels are much cheaper to apply.
    """
    for axis in range(weights.ndim):
        others = tuple(other for other in range(weights.ndim) if other != axis)
        profile = weights.max(axis=others)
        margin = int(np.argmax(profile > _NEGLIGIBLE * profile.max()))
        weights = np.take(weights, range(margin, len(profile) - margin), axis=axis)
    return weights
