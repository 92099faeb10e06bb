"""Separable blur and bilinear resize in tiles that stay in the cache: for many points, or kernels of several terms."""

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from src.compiled import kernel, reassociating_kernel
from src.degradation.aligned import aligned_empty
from src.degradation.sampling import bilinear_points, reflected

Levels = UInt8[np.ndarray, "s s 3"] | Float32[np.ndarray, "s s 3"]
SIDE = 32
"""Pixels along the side of a tile."""
ROW = 3 * SIDE
"""Numbers in a row of a tile: whole vectors."""
GROUP = 4
"""Points along an axis that are summed together: their windows overlap, and one load serves all of them."""


def tiled_points(
    image: Levels, rows: Float64[np.ndarray, "r kr"], columns: Float64[np.ndarray, "r kc"], side: int
) -> Float32[np.ndarray, "n n 3"]:
    """The image correlated with sum_i outer(rows[i], columns[i]), read bilinearly at `side` x `side` points.

    One band of tiles at a time: sums down the columns of each term, every tile turned when it is done; then sums along the
    rows over all terms, turned back.
    """
    size, height, reach = image.shape[0], rows.shape[1], columns.shape[1] // 2
    tops, down = grouped_filter(rows, size, side)
    lefts, along = grouped_filter(columns, size, side)
    border = reflected(-(height // 2), size + height + down.shape[-1], size)
    edges = reflected(-reach, size + reach + along.shape[-1], size)
    groups = SIDE // GROUP
    bands = [slice(first, first + groups) for first in range(0, len(tops), groups)]
    window = aligned_empty(max(int(np.ptp(tops[band])) for band in bands) + down.shape[-1], ROW)
    turned = aligned_empty(len(rows), edges.size * ROW)
    tile = aligned_empty(SIDE * ROW)
    flat = np.ascontiguousarray(image).reshape(size, size * 3)
    blurred = np.empty((side, side, 3), np.float32)
    for band in bands:
        _sum_down(flat, border, tops[band], down[:, band], window, tile, reach, turned)
        _reflect_edges(turned, edges, reach, size)
        _sum_along(turned, lefts, along, tile, band.start * GROUP, blurred.reshape(-1), side)
    return blurred


def grouped_filter(
    taps: Float64[np.ndarray, "r k"], size: int, side: int
) -> tuple[Int64[np.ndarray, "g"], Float32[np.ndarray, "r g 4 t"]]:
    """Blur along one axis and bilinear reading as one filter, for four neighbouring points at a time.

    First place of each group's window in the padded axis, and the weights within it. Points after the last have none.
    """
    low, fractions = bilinear_points(size, side)
    starts = low[::GROUP]
    offsets = low - np.repeat(starts, GROUP)[:side]
    length = -(-(int(offsets.max()) + taps.shape[1] + 1) // GROUP) * GROUP
    weights = np.zeros((len(taps), len(starts), GROUP, length), np.float32)
    _spread_taps(taps, offsets, fractions, weights.reshape(len(taps), -1, length))
    return starts, weights


@kernel
def _spread_taps(taps: np.ndarray, offsets: np.ndarray, fractions: np.ndarray, weights: np.ndarray) -> None:
    """weights[r, i] = taps r, at a point and at the next one, weighted by fraction i."""
    for r in range(taps.shape[0]):
        for i in range(offsets.size):
            row, upper, before = weights[r, i, offsets[i] :], np.float64(fractions[i]), 0.0
            for t in range(taps.shape[1]):
                row[t] = (1 - upper) * taps[r, t] + upper * before
                before = taps[r, t]
            row[taps.shape[1]] = upper * before


@kernel
def _sum_down(
    image: np.ndarray,
    border: np.ndarray,
    tops: np.ndarray,
    weights: np.ndarray,
    window: np.ndarray,
    tile: np.ndarray,
    reach: int,
    turned: np.ndarray,
) -> None:
    """turned[r, reach + x] = the sums of term r at column x for a band of points."""
    size = image.shape[0]
    places = border[tops[0] : tops[-1] + weights.shape[3]]
    flat = window.reshape(-1)
    for left in range(0, size, SIDE):
        width = min(SIDE, size - left)
        _fill_window(image, places, 3 * left, 3 * width, window)
        for term in range(weights.shape[0]):
            tile[:] = np.float32(0)
            for g in range(tops.size):
                _add_group(flat, (tops[g] - tops[0]) * ROW, weights[term, g], tile[g * GROUP * ROW :])
            _turn_tile(tile, turned[term], (reach + left) * ROW, ROW, width, SIDE)


@kernel
def _fill_window(image: np.ndarray, places: np.ndarray, left: int, width: int, window: np.ndarray) -> None:
    for y in range(places.size):
        pixels, row = image[places[y], left : left + width], window[y]
        for x in range(width):
            row[x] = pixels[x]


@kernel
def _reflect_edges(turned: np.ndarray, edges: np.ndarray, reach: int, size: int) -> None:
    for term in range(turned.shape[0]):
        for x in range(edges.size):
            if x < reach or x >= reach + size:
                start = (reach + edges[x]) * ROW
                turned[term, x * ROW : (x + 1) * ROW] = turned[term, start : start + ROW]


@kernel
def _sum_along(
    turned: np.ndarray, lefts: np.ndarray, weights: np.ndarray, tile: np.ndarray, top: int, out: np.ndarray, side: int
) -> None:
    """A band of points, from row `top`, of the flat result."""
    groups = SIDE // GROUP
    for first in range(0, lefts.size, groups):
        tile[:] = np.float32(0)
        for term in range(turned.shape[0]):
            for g in range(min(groups, lefts.size - first)):
                _add_group(turned[term], lefts[first + g] * ROW, weights[term, first + g], tile[g * GROUP * ROW :])
        left = first * GROUP
        _turn_tile(tile, out, (top * side + left) * 3, side * 3, min(SIDE, side - top), min(SIDE, side - left))


@reassociating_kernel
def _add_group(source: np.ndarray, start: int, weights: np.ndarray, out: np.ndarray) -> None:
    """out[p, x] += sum_t weights[p, t] source[t, x] for four points p, four taps t at a time; rows are of ROW numbers."""
    first, second, third, fourth = weights[0], weights[1], weights[2], weights[3]
    for t in range(0, first.size, 4):
        a0, a1, a2, a3 = first[t], first[t + 1], first[t + 2], first[t + 3]
        b0, b1, b2, b3 = second[t], second[t + 1], second[t + 2], second[t + 3]
        c0, c1, c2, c3 = third[t], third[t + 1], third[t + 2], third[t + 3]
        d0, d1, d2, d3 = fourth[t], fourth[t + 1], fourth[t + 2], fourth[t + 3]
        rows = source[start + t * ROW : start + (t + 4) * ROW]
        for x in range(ROW):
            p, q, r, s = rows[x], rows[ROW + x], rows[2 * ROW + x], rows[3 * ROW + x]
            out[x] += a0 * p + a1 * q + a2 * r + a3 * s
            out[ROW + x] += b0 * p + b1 * q + b2 * r + b3 * s
            out[2 * ROW + x] += c0 * p + c1 * q + c2 * r + c3 * s
            out[3 * ROW + x] += d0 * p + d1 * q + d2 * r + d3 * s


@kernel
def _turn_tile(tile: np.ndarray, out: np.ndarray, start: int, stride: int, width: int, height: int) -> None:
    """Column x of the tile becomes the row of `out` that begins at start + x stride."""
    last = height - 1
    for x in range(width):
        row = out[start + x * stride : start + x * stride + 3 * height]
        for y in range(last):
            # Four numbers move as one vector; the next pixel replaces the fourth.
            place = y * ROW + 3 * x
            a, b, c, d = tile[place], tile[place + 1], tile[place + 2], tile[place + 3]
            row[3 * y], row[3 * y + 1], row[3 * y + 2], row[3 * y + 3] = a, b, c, d
        place = last * ROW + 3 * x
        row[3 * last], row[3 * last + 1], row[3 * last + 2] = tile[place], tile[place + 1], tile[place + 2]
