"""A large image through a function in pieces."""

from collections.abc import Callable

import numpy as np


def tiled(
    function: Callable[[np.ndarray], np.ndarray], image: np.ndarray, size: int, padding: int, scale: int
) -> np.ndarray:
    """`function(image)`, which enlarges "h w c" by `scale`, put together from tiles of `size` x `size` pixels.

    Each tile is computed with `padding` pixels of the image around it, which are cut off: where a pixel of the result
    depends on no farther pixels of the image, the result is that of the whole image.
    """
    height, width, channels = image.shape
    result = np.empty((height * scale, width * scale, channels), image.dtype)
    for top in range(0, height, size):
        for left in range(0, width, size):
            bottom, right = min(top + size, height), min(left + size, width)
            first_row, first_column = max(top - padding, 0), max(left - padding, 0)
            piece = function(image[first_row : bottom + padding, first_column : right + padding])
            rows = slice((top - first_row) * scale, (bottom - first_row) * scale)
            columns = slice((left - first_column) * scale, (right - first_column) * scale)
            result[top * scale : bottom * scale, left * scale : right * scale] = piece[rows, columns]
    return result
