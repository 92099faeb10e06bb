"""Blur kernels on integer offsets; rows are y, columns x, sums are 1 (codeformer.md 3, step 3; arXiv 2107.10833, 3.1)."""

import math

import numpy as np
from jaxtyping import Float
from scipy.special import j1

_NEGLIGIBLE = 3e-7


def gaussian_taps(size: int, sigma: float) -> Float[np.ndarray, "k"]:
    """The isotropic Gaussian along one axis: exp(-x^2 / (2 sigma^2)) on -size//2..size//2, sum 1, float64.

    The square cut keeps the isotropic kernel separable: it is the outer product of these taps with themselves.
    """
    offsets = np.arange(size) - size // 2
    taps = np.exp(-0.5 * (offsets / sigma) ** 2)
    return taps / taps.sum()


def gaussian_kernel(size: int, sigma_x: float, sigma_y: float, angle: float) -> Float[np.ndarray, "k k"]:
    """exp(-0.5 p^T S^-1 p) on integer offsets p = (x, y), S = R diag(sigma_x^2, sigma_y^2) R^T, float64.

    `size` is odd, sigmas are in pixels, `angle` in radians turns the first axis from x towards y.
    """
    return _normalised(np.exp(-0.5 * _squared_radius(size, sigma_x, sigma_y, angle)))


def generalised_kernel(
    size: int, sigma_x: float, sigma_y: float, angle: float, beta: float
) -> Float[np.ndarray, "k k"]:
    """exp(-0.5 (p^T S^-1 p)^beta): beta below 1 has heavier tails than a Gaussian, above 1 a flatter top."""
    return _normalised(np.exp(-0.5 * _squared_radius(size, sigma_x, sigma_y, angle) ** beta))


def plateau_kernel(size: int, sigma_x: float, sigma_y: float, angle: float, beta: float) -> Float[np.ndarray, "k k"]:
    """1 / (1 + (p^T S^-1 p)^beta)."""
    return _normalised(1 / (1 + _squared_radius(size, sigma_x, sigma_y, angle) ** beta))


def motion_kernel(size: int, length: float, angle: float) -> Float[np.ndarray, "k k"]:
    """Uniform motion along a straight line of `length` pixels through the centre, spread bilinearly over the grid.

    A line that leaves the grid of `size` x `size` offsets is cut there.
    """
    centre = size // 2
    points = 4 * math.ceil(length) + 1
    reach = length * ((np.arange(points) + 0.5) / points - 0.5)
    kernel = np.zeros((size + 2, size + 2))
    x, y = (np.clip(centre + reach * turn, 0, size - 1) for turn in (math.cos(angle), math.sin(angle)))
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = np.abs(1 - down - (y - top)) * np.abs(1 - right - (x - left))
        np.add.at(kernel, (top + down, left + right), share)
    return _normalised(kernel[:size, :size])


def sinc_kernel(size: int, cutoff: float) -> Float[np.ndarray, "k k"]:
    """Circular low-pass of `cutoff` radians a pixel: cutoff J1(cutoff r) / (2 pi r), cut to `size` x `size`."""
    offsets = np.arange(size) - size // 2
    radius = np.hypot(offsets[None, :], offsets[:, None])
    radius[size // 2, size // 2] = 1.0
    kernel = cutoff * j1(cutoff * radius) / (2 * math.pi * radius)
    kernel[size // 2, size // 2] = cutoff**2 / (4 * math.pi)
    return _normalised(kernel)


def trim(weights: Float[np.ndarray, "*k"]) -> Float[np.ndarray, "*_"]:
    """The centred part of a kernel of odd sides; what is cut on each axis sums to at most 3e-7 in absolute value.

    That moves a blurred value in [0, 1] by less than 1e-6, and small kernels are much cheaper to apply.
    """
    sizes = np.abs(weights)
    for axis in range(weights.ndim):
        others = tuple(other for other in range(weights.ndim) if other != axis)
        profile = sizes.sum(axis=others)
        pairs = (profile + profile[::-1])[: len(profile) // 2]
        margin = int((np.cumsum(pairs) <= _NEGLIGIBLE).sum())
        weights = np.take(weights, range(margin, len(profile) - margin), axis=axis)
    return weights


def _squared_radius(size: int, sigma_x: float, sigma_y: float, angle: float) -> Float[np.ndarray, "k k"]:
    """p^T S^-1 p."""
    offsets = np.arange(size) - size // 2
    x, y = offsets[None, :], offsets[:, None]
    along = (math.cos(angle) * x + math.sin(angle) * y) / sigma_x
    across = (math.cos(angle) * y - math.sin(angle) * x) / sigma_y
    return along**2 + across**2


def _normalised(weights: Float[np.ndarray, "k k"]) -> Float[np.ndarray, "k k"]:
    return weights / weights.sum()
