"""Rounding of levels to 8 bits, alone and in one pass with a bilinear resize."""

import numpy as np
from jaxtyping import Float32, UInt8

from src.compiled import kernel
from src.degradation.sampling import bilinear_points

Levels = UInt8[np.ndarray, "n m 3"] | Float32[np.ndarray, "n m 3"]
_WHOLE = np.float32(1.5 * 2**23)
"""A float32 of this size has no places behind the point: adding and subtracting it rounds half to even."""


def resize_levels(levels: Levels, side: int) -> UInt8[np.ndarray, "s s 3"]:
    """Levels 0..255 resized bilinearly to `side` x `side` (half-pixel centres, no antialias), rounded half to even.

    Equal to OpenCV's float32 resize, rounded: whole levels and their means are exact in float32, so that ties agree.
    """
    low, fractions = bilinear_points(levels.shape[0], side)
    resized = np.empty((side, side * 3), np.uint8)
    flat = np.ascontiguousarray(levels).reshape(levels.shape[0], -1)
    wide = np.empty((levels.shape[0], side * 3), np.float32)
    _widen(flat, low, fractions, wide)
    _lengthen(wide, low, fractions, resized)
    return resized.reshape(side, side, 3)


def round_levels(levels: Levels) -> UInt8[np.ndarray, "n m 3"]:
    """The nearest 8-bit level, ties to even, clipped; 8-bit images come back as they are."""
    if levels.dtype == np.uint8:
        return levels
    rounded = np.empty(levels.shape, np.uint8)
    _round(np.ascontiguousarray(levels).reshape(-1), rounded.reshape(-1))
    return rounded


@kernel
def _round(levels: np.ndarray, rounded: np.ndarray) -> None:
    bottom, top = np.float32(0), np.float32(255)
    for i in range(levels.size):
        value = min(max(levels[i], bottom), top)
        rounded[i] = np.uint8(np.int32((value + _WHOLE) - _WHOLE))


@kernel
def _widen(levels: np.ndarray, low: np.ndarray, fractions: np.ndarray, wide: np.ndarray) -> None:
    last = levels.shape[1] // 3 - 1
    for y in range(levels.shape[0]):
        row, out = levels[y], wide[y]
        for x in range(low.size):
            left, right = 3 * low[x], 3 * min(low[x] + 1, last)
            upper = fractions[x]
            lower = np.float32(1) - upper
            for c in range(3):
                out[3 * x + c] = lower * np.float32(row[left + c]) + upper * np.float32(row[right + c])


@kernel
def _lengthen(wide: np.ndarray, low: np.ndarray, fractions: np.ndarray, resized: np.ndarray) -> None:
    bottom, top = np.float32(0), np.float32(255)
    for y in range(low.size):
        above, below, out = wide[low[y]], wide[min(low[y] + 1, wide.shape[0] - 1)], resized[y]
        upper = fractions[y]
        lower = np.float32(1) - upper
        for x in range(out.size):
            value = min(max(lower * above[x] + upper * below[x], bottom), top)
            out[x] = np.uint8(np.int32((value + _WHOLE) - _WHOLE))
