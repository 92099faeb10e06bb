"""Blur with any kernel and bilinear resize, evaluated only at the points that the resize reads (performance.md 1.4)."""

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from src.compiled import kernel, reassociating_kernel
from src.degradation.aligned import LINE, aligned_empty
from src.degradation.sampling import bilinear_points, reflected

Levels = UInt8[np.ndarray, "s s 3"] | Float32[np.ndarray, "s s 3"]
LANES = LINE // 4
"""Kernel rows are padded to whole vectors of so many numbers."""


def direct_points(image: Levels, weights: Float64[np.ndarray, "kh kw"], side: int) -> Float32[np.ndarray, "n n 3"]:
    """The image correlated with `weights`, read bilinearly at `side` x `side` points.

    Blur offsets are whole pixels, so that reading and blurring commute: the kernel itself is spread over the 2 x 2 pixels,
    along x once for a column of points, along y within the sum. Down a column of points a ring holds the pixel rows under
    the kernel; row y lies at y modulo the ring's height, and the kernel, laid out twice, starts where that row is. Kernel
    and ring stay in the first-level cache.
    """
    size, (height, width) = image.shape[0], weights.shape
    lanes = lanes_of(width)
    rows = reflected(-(height // 2), size + height // 2 + 1, size)
    columns = reflected(-(width // 2), size - width // 2 + lanes, size)
    planes = np.empty((rows.size, 3, columns.size), image.dtype)
    _split_channels(np.ascontiguousarray(image).reshape(size, size * 3), rows, columns, width // 2, planes)
    padded = np.zeros((height + 1, lanes), np.float32)
    padded[:height, :width] = weights
    twice = aligned_empty((2 * height + 3) * lanes)
    ring = aligned_empty(3, (height + 1) * lanes)
    blurred = np.empty((side, side, 3), np.float32)
    _blur_points(planes, *bilinear_points(size, side), padded, twice, ring, blurred)
    return blurred


def lanes_of(width: int) -> int:
    """Numbers in a padded row of a kernel that is spread over one more column."""
    return -(-(width + 1) // LANES) * LANES


@kernel
def _split_channels(image: np.ndarray, rows: np.ndarray, columns: np.ndarray, reach: int, planes: np.ndarray) -> None:
    """The padded image, its channels apart, from rows of interleaved ones."""
    size = image.shape[1] // 3
    for y in range(rows.size):
        line = image[rows[y]]
        red, green = planes[y, 0, reach : reach + size], planes[y, 1, reach : reach + size]
        blue = planes[y, 2, reach : reach + size]
        for x in range(size):
            red[x], green[x], blue[x] = line[3 * x], line[3 * x + 1], line[3 * x + 2]
        for c in range(3):
            out = planes[y, c]
            for x in range(reach):
                out[x] = out[reach + columns[x]]
            for x in range(reach + size, columns.size):
                out[x] = out[reach + columns[x]]


@reassociating_kernel
def _blur_points(
    planes: np.ndarray,
    low: np.ndarray,
    fractions: np.ndarray,
    padded: np.ndarray,
    twice: np.ndarray,
    ring: np.ndarray,
    out: np.ndarray,
) -> None:
    height, lanes = padded.shape
    for j in range(low.size):
        _spread_kernel(padded, fractions[j], twice)
        bottom = 0
        for i in range(low.size):
            _fill_ring(planes, max(bottom, low[i]), low[i] + height, low[j], lanes, ring)
            bottom = low[i] + height
            start = (-low[i] % height) * lanes
            above, here = twice[start : start + height * lanes], twice[start + lanes : start + (height + 1) * lanes]
            red, green, blue = _products(above, here, fractions[i], ring[0], ring[1], ring[2])
            out[i, j, 0], out[i, j, 1], out[i, j, 2] = red, green, blue


@reassociating_kernel
def _spread_kernel(padded: np.ndarray, upper: np.float32, twice: np.ndarray) -> None:
    """The kernel at a place and at the next one to the right, weighted by the fraction: two rounds from its last row."""
    height, lanes = padded.shape
    lower = np.float32(1) - upper
    for y in range(2 * height + 1):
        taps, row = padded[(y + height - 1) % height], twice[y * lanes : (y + 1) * lanes]
        row[0] = lower * taps[0]
        for x in range(1, lanes):
            row[x] = lower * taps[x] + upper * taps[x - 1]


@kernel
def _fill_ring(planes: np.ndarray, top: int, bottom: int, left: int, lanes: int, ring: np.ndarray) -> None:
    height = ring.shape[1] // lanes
    for y in range(top, bottom):
        slot = y % height * lanes
        for c in range(3):
            pixels, row = planes[y, c, left : left + lanes], ring[c, slot : slot + lanes]
            for x in range(lanes):
                row[x] = pixels[x]


@reassociating_kernel
def _products(
    above: np.ndarray, here: np.ndarray, upper: np.float32, red: np.ndarray, green: np.ndarray, blue: np.ndarray
) -> tuple[np.float32, np.float32, np.float32]:
    first = second = third = np.float32(0)
    lower = np.float32(1) - upper
    for t in range(here.size):
        weight = lower * here[t] + upper * above[t]
        first += weight * red[t]
        second += weight * green[t]
        third += weight * blue[t]
    return first, second, third
