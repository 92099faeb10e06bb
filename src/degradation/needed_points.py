"""Blur and bilinear reduction, evaluated only at the points that the reduction reads (performance.md 1.4).

The public chain blurs every pixel and then reads 2 x 2 of them for each pixel of the small image. Four ways give the same
numbers to 1e-6 of the range; which one is taken depends on counted work alone, never on a clock.
"""

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8

from src.degradation.direct_blur import direct_points, lanes_of
from src.degradation.separable_blur import separable_points
from src.degradation.tiled_blur import tiled_points

Levels = UInt8[np.ndarray, "s s 3"] | Float32[np.ndarray, "s s 3"]
TOLERANCE = 1e-6
"""What may be dropped of a kernel: the sum of the absolute values of the dropped weights."""
LOW = 4
"""A rank that blurs with two different axes seldom undercut: where even it would not pay, none is looked for."""


def blur_and_reduce(
    image: Levels, weights: Float64[np.ndarray, "kh kw"] | Float64[np.ndarray, "k"], side: int
) -> Float32[np.ndarray, "n n 3"]:
    """Levels of the image correlated with a kernel and reduced bilinearly to `side`; side == s blurs only.

    Equal to OpenCV's filter2D (reflect-101 border) and resize (INTER_LINEAR) to 1e-6 of the range. One row of taps stands
    for its outer product with itself. Kernels have odd sides; they need neither be symmetric nor sum to 1.
    """
    size = image.shape[0]
    if weights.ndim == 1:
        if separable_cost(size, side, len(weights)) < tiled_cost(size, side, len(weights), 1):
            return separable_points(image, weights, weights, side)
        return tiled_points(image, weights[None], weights[None], side)
    height, width = weights.shape
    direct, whole = direct_cost(size, side, height, width), whole_cost(size, height, width)
    taps = max(height, width)
    if rank_cost(taps) + tiled_cost(size, side, taps, LOW) < min(direct, whole):
        rows, columns = low_rank(weights)
        if tiled_cost(size, side, taps, len(rows)) < min(direct, whole):
            return tiled_points(image, rows, columns, side)
    return direct_points(image, weights, side) if direct < whole else whole_image(image, weights, side)


def low_rank(
    weights: Float64[np.ndarray, "kh kw"],
) -> tuple[Float64[np.ndarray, "r kh"], Float64[np.ndarray, "r kw"]]:
    """Few outer products whose sum leaves at most `TOLERANCE` of the kernel, by singular values, the smallest first.

    Sums in float32 lose least where the large terms come last.
    """
    left, values, right = np.linalg.svd(weights, full_matrices=False)
    # A sum of absolute values is at most the root of their number times the root of the sum of squares.
    dropped = np.sqrt(weights.size * np.cumsum(values[::-1] ** 2)[::-1])
    rank = max(1, int((dropped > TOLERANCE).sum()))
    return (left[:, :rank] * values[:rank]).T[::-1].copy(), right[:rank][::-1].copy()


def whole_image(image: Levels, weights: Float64[np.ndarray, "kh kw"], side: int) -> Float32[np.ndarray, "n n 3"]:
    """OpenCV's filter on all pixels, then its resize."""
    blurred = cv2.filter2D(image.astype(np.float32), -1, weights, borderType=cv2.BORDER_REFLECT_101)
    if side == image.shape[0]:
        return blurred
    return cv2.resize(blurred, (side, side), interpolation=cv2.INTER_LINEAR)


def separable_cost(size: int, side: int, taps: int) -> float:
    """Milliseconds of `separable_points` on one core (AMD EPYC with AVX-512), from its sums and copies; fitted to 15 %."""
    return 0.016 + 2e-4 * side + 2.6e-8 * 3 * (taps + 1) * (size + side) * side + 1e-6 * size * side


def tiled_cost(size: int, side: int, taps: int, rank: int) -> float:
    """As `separable_cost`, of `tiled_points`: windows of four points, tiles that are turned, pixels that are read."""
    window = taps + 1 + 3 * size / side
    sums = 1.26e-8 * 3 * window * (size + side) * side
    return 0.033 + rank * (sums + 8e-7 * size * side) + 1.5e-7 * size * size


def direct_cost(size: int, side: int, height: int, width: int) -> float:
    """As `separable_cost`, of `direct_points`: planes, kernels, rows of the ring, products."""
    lanes, padded = lanes_of(width), size + height
    rows = 3 * side * min(padded, side * (height + 1))
    products = 1.6e-5 + 1.25e-8 * 3 * (height + 1) * lanes
    kernels = 5e-7 * side * height * lanes
    return 0.016 + 1.3e-7 * padded * padded + kernels + rows * (1.9e-6 + 3.2e-8 * lanes) + side * side * products


def rank_cost(taps: int) -> float:
    """As `separable_cost`, of `low_rank`."""
    return 0.01 + 5e-5 * taps * taps


def whole_cost(size: int, height: int, width: int) -> float:
    """As `separable_cost`, of `whole_image`: OpenCV sums over few taps and takes Fourier transforms for more."""
    if height * width < 130:
        return size * size * (3e-7 + 1e-7 * height * width)
    return size * size * (2.2e-5 if size + width <= 256 else 4.8e-5)
