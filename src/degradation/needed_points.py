"""Blur and bilinear reduction, evaluated only at the points that the reduction reads (performance.md 1.4).

The public chain blurs every pixel and then reads 2 x 2 of them for each pixel of the small image. Three ways give the same
numbers to 1e-6 of the range; which one is taken depends on counted work alone, so that an image has the same bytes anywhere.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8

from src.degradation.direct_blur import LANES, direct_points
from src.degradation.separable_blur import separable_points

Levels = UInt8[np.ndarray, "s s 3"] | Float32[np.ndarray, "s s 3"]
TOLERANCE = 1e-6
"""What may be dropped of a kernel: the sum of the absolute values of the dropped weights."""
SLOW = 64
"""Sides up to which a full kernel is never taken apart: the decomposition would cost more than it saves."""


@dataclass(frozen=True)
class Kernel:
    """A blur kernel as the sum of outer(rows[i], columns[i]), or as a whole."""

    rows: Float64[np.ndarray, "r kr"] | None
    columns: Float64[np.ndarray, "r kc"] | None
    weights: Float64[np.ndarray, "kh kw"]


def blur_and_reduce(
    image: Levels, weights: Float64[np.ndarray, "kh kw"] | Float64[np.ndarray, "k"], side: int
) -> Float32[np.ndarray, "n n 3"]:
    """Levels of the image correlated with a kernel and reduced bilinearly to `side`; side == s blurs only.

    Equal to OpenCV's filter2D (reflect-101 border) and resize (INTER_LINEAR) to 1e-6 of the range. One row of taps stands
    for its outer product with itself. Kernels have odd sides; they need neither be symmetric nor sum to 1.
    """
    if weights.ndim == 1:
        return separable_points(image, weights[None], weights[None], side)
    height, width = weights.shape
    size = image.shape[0]
    direct, whole = direct_cost(size, side, height, width), whole_cost(size, height, width)
    if side > SLOW:
        rows, columns = low_rank(weights)
        if len(rows) * rank_cost(size, side, height) < min(direct, whole):
            return separable_points(image, rows, columns, side)
    return direct_points(image, weights, side) if direct < whole else whole_image(image, weights, side)


def low_rank(
    weights: Float64[np.ndarray, "kh kw"],
) -> tuple[Float64[np.ndarray, "r kh"], Float64[np.ndarray, "r kw"]]:
    """The fewest outer products whose sum leaves at most `TOLERANCE` of the kernel (singular value decomposition)."""
    left, values, right = np.linalg.svd(weights)
    rows = left.T[: len(values)] * values[:, None]
    columns = right[: len(values)]
    # The dropped weights of a term are at most the product of the sums of its two sides.
    sizes = np.abs(rows).sum(1) * np.abs(columns).sum(1)
    dropped = np.cumsum(sizes[::-1])[::-1]
    rank = max(1, int((dropped > TOLERANCE).sum()))
    return rows[:rank], columns[:rank]


def whole_image(image: Levels, weights: Float64[np.ndarray, "kh kw"], side: int) -> Float32[np.ndarray, "n n 3"]:
    """OpenCV's filter on all pixels, then its resize."""
    blurred = cv2.filter2D(image.astype(np.float32), -1, weights, borderType=cv2.BORDER_REFLECT_101)
    if side == image.shape[0]:
        return blurred
    return cv2.resize(blurred, (side, side), interpolation=cv2.INTER_LINEAR)


def rank_cost(size: int, side: int, taps: int) -> float:
    """Milliseconds of one outer product on one core (AMD EPYC with AVX-512), from its multiplications and copies."""
    sums = 3 * (taps + 1) * (size * side + side * side)
    return 2.6e-8 * sums + 1.6e-6 * size * side


def direct_cost(size: int, side: int, height: int, width: int) -> float:
    """Milliseconds of `direct_points`, as `rank_cost`: planes, strips, products."""
    lanes = -(-width // LANES) * LANES
    padded = size + height
    planes, strips = 1e-6 * padded * padded, 1.0e-7 * 3 * side * padded * lanes
    return planes + strips + 2.2e-8 * 3 * side * side * (height + 1) * lanes


def whole_cost(size: int, height: int, width: int) -> float:
    """Milliseconds of `whole_image`: a sum over taps for small kernels, Fourier transforms for large ones."""
    return size * size * (4.7e-5 if height * width > 121 else 4e-7 * height * width)
