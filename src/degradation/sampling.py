"""Where a bilinear resize reads, and what a reflect-101 border puts there."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float32, Float64, Int64


@lru_cache(maxsize=64)
def bilinear_points(size: int, side: int) -> tuple[Int64[np.ndarray, "n"], Float32[np.ndarray, "n"]]:
    """Lower neighbour and fraction of each output coordinate, half-pixel centres, clamped at both ends, as OpenCV.

    Positions are float64 and only the fractions are rounded to float32; `side` == `size` reads the points themselves.
    """
    positions = (np.arange(side) + 0.5) * (size / side) - 0.5
    positions = np.clip(positions, 0, size - 1)
    low = np.floor(positions).astype(np.int64)
    # float32 rounding may give a fraction of 1, which is the next point.
    fractions = (positions - low).astype(np.float32)
    return _frozen(low), _frozen(fractions)


@lru_cache(maxsize=64)
def reflected(start: int, stop: int, size: int) -> Int64[np.ndarray, "m"]:
    """Indices start..stop-1 reflected about the outermost pixels, again and again where the image is small."""
    if size == 1:
        return _frozen(np.zeros(stop - start, np.int64))
    period = 2 * size - 2
    places = np.arange(start, stop) % period
    return _frozen(np.minimum(places, period - places))


def axis_filter(
    taps: Float64[np.ndarray, "k"], size: int, side: int
) -> tuple[Int64[np.ndarray, "n t"], Float32[np.ndarray, "n t"]]:
    """Blur along one axis and bilinear reading as one filter: for each output coordinate the places read, and weights."""
    reach, last = len(taps) // 2, len(taps)
    low, fractions = bilinear_points(size, side)
    if side == size:
        places = low[:, None] + np.arange(-reach, reach + 1)
        weights = np.broadcast_to(taps.astype(np.float32), places.shape)
    else:
        places = low[:, None] + np.arange(-reach, reach + 2)
        upper = fractions[:, None].astype(np.float64)
        weights = np.zeros(places.shape, np.float32)
        weights[:, :last] = (1 - upper) * taps
        weights[:, 1:] += (upper * taps).astype(np.float32)
    border = reflected(-reach, size + reach + 1, size)
    return border[places + reach], np.ascontiguousarray(weights)


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
