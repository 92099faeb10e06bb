"""Similarity transforms of pictures of any size; a pixel's centre has whole coordinates."""

import math

import cv2
import numpy as np
from jaxtyping import Float
from PIL import Image

Similarity = Float[np.ndarray, "2 3"]
"""Takes (x, y, 1) of one picture to (x, y) of another."""

MARGIN = 4
"""Pixels around the part of a picture that interpolation reads."""
OVERSAMPLING = 1.6
"""Pixels that a shrinking picture keeps for each one of the target: below 1.5 an unrestored face loses visible detail on
its way out of a photo and back, above 2 fine detail of a restored one turns into patterns."""


def inverted(matrix: Similarity) -> Similarity:
    """The way back."""
    back = np.linalg.inv(matrix[:, :2])
    return np.hstack([back, -back @ matrix[:, 2:]])


def enlarged(matrix: Similarity, scale_x: float | int, scale_y: float | int) -> Similarity:
    """`matrix`, followed by a resize of its target by these factors; centres move as in cv2.resize."""
    factors = np.array([[scale_x], [scale_y]])
    result = factors * matrix
    result[:, 2:] += (factors - 1) / 2
    return result


def shifted(matrix: Similarity, x: float | int, y: float | int) -> Similarity:
    """`matrix`, followed by a shift of its target's origin to (x, y)."""
    result = matrix.copy()
    result[:, 2] -= (x, y)
    return result


def scale_of(matrix: Similarity) -> float:
    """Length in the target of one pixel of the source."""
    return math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))


def bounds(matrix: Similarity, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (the last two exclusive) of the pixels that a picture of this size touches."""
    corners = np.array([[-1, -1, 1], [width, -1, 1], [-1, height, 1], [width, height, 1]], float) @ matrix.T
    left, top = np.floor(corners.min(axis=0)).astype(int)
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + 1
    return int(left), int(top), int(right), int(bottom)


def warp(
    picture: np.ndarray,
    matrix: Similarity,
    width: int,
    height: int,
    *,
    interpolation: int,
    outside: tuple[int, int, int] | None,
) -> np.ndarray:
    """`picture` ("h w 3" uint8, or "h w" float32) under `matrix`, cut to `width` x `height`.

    Where it shrinks, what is too fine for the target is filtered out first, so that no pixel is skipped. `interpolation`
    is OpenCV's; `outside` is the colour beyond the picture's border, None repeats the border.
    """
    picture, matrix = _part(picture, matrix, width, height)
    picture, matrix = _shrunk(picture, matrix)
    border = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
    return cv2.warpAffine(
        picture, matrix, (width, height), flags=interpolation, borderMode=border, borderValue=outside or (0, 0, 0)
    )


def _part(picture: np.ndarray, matrix: Similarity, width: int, height: int) -> tuple[np.ndarray, Similarity]:
    """The pixels that are read: OpenCV takes no picture of more than 32,766 pixels a side, and copies all of it."""
    left, top, right, bottom = bounds(inverted(matrix), width, height)
    rows, columns = picture.shape[:2]
    margin = MARGIN + math.ceil(1 / scale_of(matrix))
    left, right = (min(max(side, 0), columns - 1) for side in (left - margin, right + margin))
    top, bottom = (min(max(side, 0), rows - 1) for side in (top - margin, bottom + margin))
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ np.array([left, top], float)
    return np.ascontiguousarray(picture[top : bottom + 1, left : right + 1]), moved


def _shrunk(picture: np.ndarray, matrix: Similarity) -> tuple[np.ndarray, Similarity]:
    """The picture at `OVERSAMPLING` times the target's resolution, if it is finer than that."""
    factor = scale_of(matrix) * OVERSAMPLING
    if factor >= 1:
        return picture, matrix
    rows, columns = picture.shape[:2]
    size = math.ceil(columns * factor), math.ceil(rows * factor)
    to_small = enlarged(inverted(matrix), size[0] / columns, size[1] / rows)
    return _resized(picture, size), inverted(to_small)


def _resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Colours by Pillow's Lanczos filter, which widens as it shrinks and keeps what still fits sharp; masks by area."""
    if picture.ndim == 2:
        return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))
