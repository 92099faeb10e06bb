"""Contact sheets: pictures in labelled rows."""

import re
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

Image = UInt8[np.ndarray, "h w 3"]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_INK = (40, 40, 40)
_PAD = 4


def _label_scale(cell_width: int) -> float:
    return float(np.clip(cell_width / 320.0, 0.38, 0.8))


def _text_size(text: str, scale: float) -> tuple[int, int]:
    (width, height), below = cv2.getTextSize(text, _FONT, scale, 1)
    return width, height + below


def _write(canvas: np.ndarray, text: str, x: int, bottom: int, scale: float) -> None:
    _, below = cv2.getTextSize(text, _FONT, scale, 1)
    cv2.putText(canvas, text, (x, bottom - below), _FONT, scale, _INK, 1, cv2.LINE_AA)


def _line_height(scale: float) -> int:
    return _text_size("Ag", scale)[1] + _PAD


def _write_centred(canvas: np.ndarray, lines: Sequence[str], middle: int, bottom: int, scale: float) -> None:
    for below, text in enumerate(reversed(lines)):
        left = middle - _text_size(text, scale)[0] // 2
        _write(canvas, text, left, bottom - below * _line_height(scale), scale)


def _lines(text: str, width: int, scale: float) -> list[str]:
    """The text broken after blanks, commas and hyphens into lines that fit `width`, or that cannot be broken further."""
    lines = [""]
    for part in re.findall(r"[^\s,-]*[\s,-]*", text):
        fits = _text_size((lines[-1] + part).rstrip(), scale)[0] <= width - _PAD
        lines = [*lines[:-1], lines[-1] + part] if fits or not lines[-1] else [*lines, part]
    return [line.rstrip() for line in lines]


def _cell(image: np.ndarray, height: int, width: int) -> np.ndarray:
    if image.shape[:2] == (height, width):
        return image
    shrinks = image.shape[0] > height or image.shape[1] > width
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST)


def _checked(rows: Sequence[Sequence[np.ndarray]], column_labels: Sequence[str], row_labels: Sequence[str]) -> int:
    columns = max((len(row) for row in rows), default=0)
    if columns == 0:
        raise ValueError("image_grid got no pictures; expected at least one row with one picture.")
    if len(column_labels) not in (0, columns):
        raise ValueError(f"image_grid got {len(column_labels)} column labels for {columns} columns.")
    if len(row_labels) not in (0, len(rows)):
        raise ValueError(f"image_grid got {len(row_labels)} row labels for {len(rows)} rows.")
    return columns


def image_grid(
    rows: Sequence[Sequence[UInt8[np.ndarray, "_ _ 3"]]],
    column_labels: Sequence[str] = (),
    row_labels: Sequence[str] = (),
    gap: int = 2,
    scale: int = 1,
) -> UInt8[np.ndarray, "height width 3"]:
    """Pictures in rows on white, with labels above the columns and to the left of the rows.

    Every picture is brought to the size of the first one (area when it shrinks, else nearest), then enlarged `scale`
    times (nearest). Long labels are broken into lines, and a column widens where a part of its label needs it, so no
    label is cut; short rows leave blank cells.

    Raises:
        ValueError: no pictures, or as many labels as there are no columns or rows for.
    """
    columns = _checked(rows, column_labels, row_labels)
    first = next(row[0] for row in rows if len(row))
    height, width = first.shape[0], first.shape[1]
    cell_h, cell_w = height * scale, width * scale
    size = _label_scale(cell_w)
    labels = [_lines(text, cell_w, size) for text in column_labels] or [[]] * columns
    widths = [max([cell_w, *(_text_size(line, size)[0] + _PAD for line in lines)]) for lines in labels]
    left = max((_text_size(text, size)[0] + 2 * _PAD for text in row_labels), default=0)
    top = max(len(lines) for lines in labels) * _line_height(size) + (_PAD if column_labels else 0)
    row_h = max([cell_h, *(_text_size(text, size)[1] + _PAD for text in row_labels)])
    canvas = np.full(
        (top + len(rows) * (row_h + gap) + gap, left + sum(widths) + gap * (columns + 1), 3), 255, np.uint8
    )
    lefts = [left + gap + sum(widths[:c]) + gap * c for c in range(columns)]
    for c, lines in enumerate(labels):
        _write_centred(canvas, lines, lefts[c] + widths[c] // 2, top - _PAD // 2, size)
    for r, row in enumerate(rows):
        y = top + gap + r * (row_h + gap)
        if row_labels:
            _write(canvas, row_labels[r], _PAD, y + (row_h + _text_size("Ag", size)[1]) // 2, size)
        for c, image in enumerate(row):
            shown = _cell(image, height, width).repeat(scale, 0).repeat(scale, 1)
            x = lefts[c] + (widths[c] - cell_w) // 2
            canvas[y : y + cell_h, x : x + cell_w] = shown
    return canvas
