"""Blur with any kernel and bilinear resize, evaluated only at the points that the resize reads (performance.md 1.4)."""

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from src.compiled import kernel, reassociating_kernel
from src.degradation.sampling import bilinear_points, reflected

Levels = UInt8[np.ndarray, "s s 3"] | Float32[np.ndarray, "s s 3"]
LANES = 16
"""Kernel rows are padded to whole vectors of so many numbers."""


def direct_points(image: Levels, weights: Float64[np.ndarray, "kh kw"], side: int) -> Float32[np.ndarray, "n n 3"]:
    """The image correlated with `weights`, read bilinearly at `side` x `side` points.

    Blur offsets are whole pixels, so reading and blurring commute. For one output column the strip of pixels under the
    kernel is read bilinearly along x; for one output row the kernel is spread bilinearly along y. An output value is then
    the product of two runs of memory: the spread kernel, and the piece of the strip at that row.
    """
    size, (height, width) = image.shape[0], weights.shape
    lanes = -(-width // LANES) * LANES
    low, fractions = bilinear_points(size, side)
    rows = reflected(-(height // 2), size + height // 2 + 1, size)
    columns = reflected(-(width // 2), size - width // 2 + lanes + 1, size)
    planes = np.empty((3, rows.size, columns.size), np.float32)
    flat = np.ascontiguousarray(image).reshape(size, size * 3)
    _split_channels(flat, rows, columns, width // 2, planes)
    padded = np.zeros((height, lanes), np.float32)
    padded[:, :width] = weights
    spread = np.empty((side, (height + 1) * lanes), np.float32)
    _spread_kernel(padded, fractions, spread)
    blurred = np.empty((side, side, 3), np.float32)
    _blur_points(planes, low, fractions, spread, lanes, blurred)
    return blurred


@kernel
def _split_channels(image: np.ndarray, rows: np.ndarray, columns: np.ndarray, reach: int, planes: np.ndarray) -> None:
    """The padded image as float32 planes, from rows of interleaved channels."""
    size = image.shape[1] // 3
    for y in range(rows.size):
        line = image[rows[y]]
        red, green = planes[0, y, reach : reach + size], planes[1, y, reach : reach + size]
        blue = planes[2, y, reach : reach + size]
        for x in range(size):
            red[x], green[x], blue[x] = line[3 * x], line[3 * x + 1], line[3 * x + 2]
        for c in range(3):
            out = planes[c, y]
            for x in range(reach):
                out[x] = out[reach + columns[x]]
            for x in range(reach + size, columns.size):
                out[x] = out[reach + columns[x]]


@kernel
def _spread_kernel(padded: np.ndarray, fractions: np.ndarray, spread: np.ndarray) -> None:
    """Row i of `spread`: the kernel at a place and at the next one below, weighted by fraction i; rows laid end to end."""
    height, lanes = padded.shape
    for i in range(fractions.size):
        upper = fractions[i]
        lower = np.float32(1) - upper
        for k in range(height + 1):
            row = spread[i, k * lanes : (k + 1) * lanes]
            if k == 0:
                for x in range(lanes):
                    row[x] = lower * padded[0, x]
            elif k == height:
                for x in range(lanes):
                    row[x] = upper * padded[height - 1, x]
            else:
                here, above = padded[k], padded[k - 1]
                for x in range(lanes):
                    row[x] = lower * here[x] + upper * above[x]


@reassociating_kernel
def _blur_points(
    planes: np.ndarray, low: np.ndarray, fractions: np.ndarray, spread: np.ndarray, lanes: int, out: np.ndarray
) -> None:
    height = planes.shape[1]
    strips = np.empty((3, height * lanes), np.float32)
    for j in range(low.size):
        for c in range(3):
            _read_strip(planes[c], low[j], fractions[j], lanes, strips[c])
        for i in range(low.size):
            start = low[i] * lanes
            stop = start + spread.shape[1]
            red, green, blue = _products(spread[i], strips[0, start:stop], strips[1, start:stop], strips[2, start:stop])
            out[i, j, 0], out[i, j, 1], out[i, j, 2] = red, green, blue


@reassociating_kernel
def _read_strip(plane: np.ndarray, left: int, fraction: np.float32, lanes: int, strip: np.ndarray) -> None:
    """Row after row of slices, because indices that are computed within the loop keep it from becoming vector code."""
    rest = np.float32(1) - fraction
    for y in range(plane.shape[0]):
        here, right = plane[y, left : left + lanes], plane[y, left + 1 : left + lanes + 1]
        row = strip[y * lanes : (y + 1) * lanes]
        for x in range(lanes):
            row[x] = rest * here[x] + fraction * right[x]


@reassociating_kernel
def _products(
    weights: np.ndarray, red: np.ndarray, green: np.ndarray, blue: np.ndarray
) -> tuple[np.float32, np.float32, np.float32]:
    first = second = third = np.float32(0)
    for t in range(weights.size):
        weight = weights[t]
        first += weight * red[t]
        second += weight * green[t]
        third += weight * blue[t]
    return first, second, third
