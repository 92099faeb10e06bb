"""Pictures of a registration: its displacement field as a colour wheel, and as a warped grid over a face.

Fields are (dx, dy) in pixels on the grid of the fixed face and point into the moving one: warped(x) = moving(x + field(x)).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from src.faces.grid import image_grid

COLUMNS = ("moving", "fixed", "warped", "field", "grid")
_WHEEL_TURNS = np.array([0, 15, 21, 25, 36, 49, 55]) / 55
"""Where around the wheel red, yellow, green, cyan, blue and magenta stand: as far apart as they look different."""
_WHEEL_COLOURS = np.array(
    [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1], [1, 0, 0]], dtype=np.float64
)
_BEYOND = 0.75
"""Brightness of displacements longer than the longest that the wheel tells apart."""
_LINE = (255, 220, 0)
_FRACTION_BITS = 8
"""Of the places that lines are drawn at."""


@dataclass(frozen=True)
class RegistrationPicture:
    """One face before and after registration."""

    moving: UInt8[np.ndarray, "h w 3"]
    fixed: UInt8[np.ndarray, "h w 3"]
    warped: UInt8[np.ndarray, "h w 3"]
    field: Float[np.ndarray, "2 h w"]


def field_wheel(field: Float[np.ndarray, "2 h w"], longest: int | float) -> UInt8[np.ndarray, "h w 3"]:
    """The field in the colours that optical flow is shown in (Baker et al., IJCV 92, 2011): hue is direction, to the right
    red and downwards yellow; saturation is length, white for none and full at `longest` pixels; longer ones are darkened.

    Raises:
        ValueError: `longest` is not positive.
    """
    if longest <= 0:
        raise ValueError(f"longest is {longest}, expected a length above 0.")
    dx, dy = field.astype(np.float64)
    length = np.hypot(dx, dy)[..., None] / longest
    turn = np.arctan2(dy, dx) / (2 * np.pi) % 1
    hue = np.stack([np.interp(turn, _WHEEL_TURNS, channel) for channel in _WHEEL_COLOURS.T], axis=-1)
    colour = np.where(length <= 1, 1 - length * (1 - hue), _BEYOND * hue)
    return np.rint(255 * colour).astype(np.uint8)


def wheel_legend(side: int) -> UInt8[np.ndarray, "side side 3"]:
    """The wheel itself: each place has the colour of the displacement from the middle to it, `longest` at the rim."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    field = np.stack([x, y]) / (side / 2)
    inside = np.hypot(*field) <= 1
    return np.where(inside[..., None], field_wheel(field, 1), np.uint8(255))


def warped_grid(
    moving: UInt8[np.ndarray, "h w 3"], field: Float[np.ndarray, "2 h w"], spacing: int, scale: int = 1
) -> UInt8[np.ndarray, "height width 3"]:
    """The regular grid of the fixed face, drawn over the moving one where the field fetches it from; lines that cross
    themselves are folds.

    Args:
        spacing: pixels between lines.
        scale: how much larger than the face the picture is, so that lines are thinner than pixels.
    """
    height, width = field.shape[-2:]
    canvas = cv2.resize(moving, (width * scale, height * scale), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[:height, :width]
    # The middle of pixel 0 lies half an enlarged pixel, less half a new one, from the edge.
    places = (np.stack([x, y]) + field + 0.5) * scale - 0.5
    first = spacing // 2
    for line in (*places[:, first::spacing].transpose(1, 2, 0), *places[:, :, first::spacing].transpose(2, 1, 0)):
        points = np.rint(line * 2**_FRACTION_BITS).astype(np.int32)
        cv2.polylines(canvas, [points], False, _LINE, 1, cv2.LINE_AA, _FRACTION_BITS)
    return canvas


def registration_row(
    shown: RegistrationPicture, longest: int | float, spacing: int | None = None, scale: int = 1
) -> list[UInt8[np.ndarray, "_ _ 3"]]:
    """The pictures of `COLUMNS`, all `scale` times as large as the face; by default eight grid lines a side."""
    lines = spacing or max(2, shown.fixed.shape[1] // 8)
    faces = [_enlarged(face, scale) for face in (shown.moving, shown.fixed, shown.warped)]
    wheel = _enlarged(field_wheel(shown.field, longest), scale)
    return [*faces, wheel, warped_grid(shown.moving, shown.field, lines, scale)]


def registration_sheet(
    rows: Sequence[RegistrationPicture], labels: Sequence[str], longest: int | float, scale: int = 1
) -> UInt8[np.ndarray, "height width 3"]:
    """Contact sheet: a labelled row a registration with `COLUMNS`, and the wheel beside the first.

    Args:
        rows: one at least, faces of one size.
        labels: one a row.
        longest: pixels at the rim of the wheel, the same in all rows so that they compare.
        scale: enlargement of the faces.

    Raises:
        ValueError: no rows, or not a label for each.
    """
    pictures = [registration_row(row, longest, scale=scale) for row in rows]
    if pictures:
        pictures[0].append(wheel_legend(pictures[0][0].shape[0]))
    return image_grid(pictures, [*COLUMNS, f"rim: {longest:g} px"], labels)


def _enlarged(picture: UInt8[np.ndarray, "h w 3"], scale: int) -> UInt8[np.ndarray, "height width 3"]:
    return picture.repeat(scale, 0).repeat(scale, 1)
