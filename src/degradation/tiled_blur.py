"""Separable blur and bilinear resize in tiles that stay in the cache: for many points, or kernels of many separable terms."""

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from src.compiled import kernel, reassociating_kernel
from src.degradation.aligned import aligned_zeros
from src.degradation.sampling import bilinear_points, reflected

Levels = UInt8[np.ndarray, "s s 3"] | Float32[np.ndarray, "s s 3"]
SIDE = 16
"""Pixels along the side of a tile."""
ROW = 3 * SIDE
"""Numbers in a row of a tile: whole vectors."""
GROUP = 4
"""Points along an axis that are summed together: their windows overlap, and one load serves all of them."""


def tiled_points(
    image: Levels,
    rows: Float64[np.ndarray, "r kr"],
    columns: Float64[np.ndarray, "r kc"],
    side: int,
    *,
    flipped: bool = False,
) -> Float32[np.ndarray, "n n 3"]:
    """The image correlated with sum_i outer(rows[i], columns[i]), read bilinearly at `side` x `side` points.

    Sixteen rows of points at a time: sums down the columns tile by tile, each turned when it is done, then sums along the
    rows over all terms, turned back.
    """
    size, reach = image.shape[0], columns.shape[1] // 2
    tops, down = grouped_filter(rows, size, side)
    lefts, along = grouped_filter(columns, size, side)
    border = reflected(-(rows.shape[1] // 2), size + rows.shape[1] // 2 + 1 + down.shape[-1], size)
    edges = reflected(-reach, size + reach + 1, size)
    groups = SIDE // GROUP
    last = np.minimum(np.arange(groups - 1, len(tops) + groups - 1, groups), len(tops) - 1)
    window = aligned_zeros(int((tops[last] - tops[::groups]).max()) + down.shape[-1], ROW)
    turned = aligned_zeros(len(rows), (size + 2 * reach + along.shape[-1] + 1) * ROW)
    blurred = np.empty((side, side, 3), np.float32)
    flat = np.ascontiguousarray(image).reshape(size, size * 3)
    tile = aligned_zeros(SIDE * ROW)
    for block in range(0, len(tops), groups):
        part = slice(block, block + groups)
        _sum_down(flat, border, tops[part], down[:, part], window, tile, reach, flipped, turned)
        _reflect_edges(turned, edges, reach, size)
        _sum_along(turned, lefts, along, tile, block * GROUP, blurred.reshape(-1), side)
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
    """weights[r, i] = taps r at offset i and, weighted by fraction i, one further on."""
    for r in range(taps.shape[0]):
        for i in range(offsets.size):
            upper = np.float64(fractions[i])
            before = 0.0
            row = weights[r, i]
            for t in range(taps.shape[1]):
                row[offsets[i] + t] = (1 - upper) * taps[r, t] + upper * before
                before = taps[r, t]
            row[offsets[i] + taps.shape[1]] = upper * before


@kernel
def _sum_down(
    image: np.ndarray,
    border: np.ndarray,
    tops: np.ndarray,
    weights: np.ndarray,
    window: np.ndarray,
    tile: np.ndarray,
    reach: int,
    flipped: bool,
    turned: np.ndarray,
) -> None:
    """turned[r, reach + x] = the sums of term r for up to sixteen rows of points at column x."""
    size = image.shape[0]
    height = tops[-1] - tops[0] + weights.shape[3]
    flat = window.reshape(-1)
    for left in range(0, size, SIDE):
        width = min(SIDE, size - left)
        _fill_window(image, border[tops[0] : tops[0] + height], 3 * left, 3 * width, window)
        start, stride = (reach + size - 1 - left) * ROW if flipped else (reach + left) * ROW, -ROW if flipped else ROW
        for term in range(weights.shape[0]):
            tile[:] = np.float32(0)
            for g in range(tops.size):
                _add_group(flat, (tops[g] - tops[0]) * ROW, weights[term, g], tile[g * GROUP * ROW :])
            _turn_tile(tile, turned[term], start, stride, width, SIDE)


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
    """Sixteen rows of points, from row `top`, of the flat result."""
    groups = SIDE // GROUP
    for block in range(0, lefts.size, groups):
        left = block * GROUP
        tile[:] = np.float32(0)
        for term in range(turned.shape[0]):
            for g in range(min(groups, lefts.size - block)):
                _add_group(turned[term], lefts[block + g] * ROW, weights[term, block + g], tile[g * GROUP * ROW :])
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
    for x in range(width):
        row = out[start + x * stride : start + x * stride + 3 * height]
        for y in range(height):
            place = y * ROW + 3 * x
            row[3 * y], row[3 * y + 1], row[3 * y + 2] = tile[place], tile[place + 1], tile[place + 2]
