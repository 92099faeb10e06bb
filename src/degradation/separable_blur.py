"""Separable blur and bilinear resize, evaluated only at the points that the resize reads (performance.md 1.4)."""

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from src.compiled import kernel, reassociating_kernel
from src.degradation.sampling import axis_filter

Levels = UInt8[np.ndarray, "s s 3"] | Float32[np.ndarray, "s s 3"]


def separable_points(
    image: Levels, rows: Float64[np.ndarray, "kr"], columns: Float64[np.ndarray, "kc"], side: int
) -> Float32[np.ndarray, "n n 3"]:
    """The image correlated with outer(rows, columns), read bilinearly at `side` x `side` points: for few points.

    Folding the blur and the bilinear reading of an axis into one filter makes both axes short sums over whole rows: down
    the columns first, then, transposed, along the rows.
    """
    size = image.shape[0]
    flat = np.ascontiguousarray(image).reshape(size, size * 3)
    down, turned = np.empty((side, size * 3), np.float32), np.empty((size, side * 3), np.float32)
    _sum_rows(flat, *axis_filter(rows, size, side), down)
    _transpose_pixels(down.reshape(side, size, 3), turned.reshape(size, side, 3))
    along, blurred = np.empty((side, side * 3), np.float32), np.empty((side, side, 3), np.float32)
    _sum_rows(turned, *axis_filter(columns, size, side), along)
    _transpose_pixels(along.reshape(side, side, 3), blurred)
    return blurred


@reassociating_kernel
def _sum_rows(image: np.ndarray, places: np.ndarray, weights: np.ndarray, out: np.ndarray) -> None:
    """out[i] = sum_t weights[i, t] image[places[i, t]], four rows at a time: one pass over out for four over image."""
    count = places.shape[1]
    for i in range(places.shape[0]):
        row = out[i]
        row[:] = np.float32(0)
        t = 0
        while t + 4 <= count:
            a, b, c, d = image[places[i, t]], image[places[i, t + 1]], image[places[i, t + 2]], image[places[i, t + 3]]
            wa, wb, wc, wd = weights[i, t], weights[i, t + 1], weights[i, t + 2], weights[i, t + 3]
            for x in range(row.size):
                row[x] += (wa * np.float32(a[x]) + wb * np.float32(b[x])) + (
                    wc * np.float32(c[x]) + wd * np.float32(d[x])
                )
            t += 4
        while t < count:
            a, wa = image[places[i, t]], weights[i, t]
            for x in range(row.size):
                row[x] += wa * np.float32(a[x])
            t += 1


@kernel
def _transpose_pixels(image: np.ndarray, out: np.ndarray) -> None:
    """out[x, y] = image[y, x], in tiles that stay in the cache."""
    height, width = image.shape[0], image.shape[1]
    for top in range(0, height, 32):
        bottom = min(top + 32, height)
        for left in range(0, width, 32):
            for x in range(left, min(left + 32, width)):
                for y in range(top, bottom):
                    out[x, y, 0] = image[y, x, 0]
                    out[x, y, 1] = image[y, x, 1]
                    out[x, y, 2] = image[y, x, 2]
