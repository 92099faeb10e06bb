"""Changes of colour: offsets, grey, and the jitter of torchvision's ColorJitter in one pass each."""

import numpy as np
from jaxtyping import Float32

from src.compiled import inline, kernel
from src.degradation.drawn import JitterDraw, ShiftDraw

Levels = Float32[np.ndarray, "h w 3"]
LUMA = (np.float32(0.299), np.float32(0.587), np.float32(0.114))
"""ITU-R BT.601, as OpenCV has it."""
JITTER_LUMA = (np.float32(0.2989), np.float32(0.587), np.float32(0.114))
"""As torchvision has it."""


def shift_colours(levels: Levels, drawn: ShiftDraw) -> Levels:
    """Levels 0..255 with an offset on each channel, clipped."""
    shifted = np.empty(levels.shape, np.float32)
    _shift(levels.reshape(-1, 3), np.array(drawn.offsets, np.float32), shifted.reshape(-1, 3))
    return shifted


def to_grey(levels: Levels) -> Levels:
    """The luma of levels 0..255 in all three channels."""
    grey = levels[..., 0] * LUMA[0] + levels[..., 1] * LUMA[1] + levels[..., 2] * LUMA[2]
    return np.repeat(grey[..., None], 3, axis=-1)


def jitter_colours(levels: Levels, drawn: JitterDraw) -> Levels:
    """Brightness, contrast, saturation and hue changed in the drawn order; each result is clipped to 0..255."""
    values = np.array(levels.reshape(-1, 3), np.float32, order="C")
    for name, amount in drawn.changes:
        factor = np.float32(amount)
        if name == "brightness":
            _blend(values, factor, np.float32(0))
        elif name == "contrast":
            _blend(values, factor, np.float32(np.mean(values @ np.array(JITTER_LUMA, np.float32), dtype=np.float64)))
        elif name == "saturation":
            _saturate(values, factor)
        elif amount != 0:
            _turn_hue(values, factor)
    return values.reshape(levels.shape)


@inline
def _limited(value: np.float32) -> np.float32:
    return min(max(value, np.float32(0)), np.float32(255))


@kernel
def _shift(levels: np.ndarray, offsets: np.ndarray, out: np.ndarray) -> None:
    for i in range(levels.shape[0]):
        for c in range(3):
            out[i, c] = _limited(levels[i, c] + offsets[c])


@kernel
def _blend(values: np.ndarray, factor: np.float32, other: np.float32) -> None:
    rest = (np.float32(1) - factor) * other
    for i in range(values.shape[0]):
        for c in range(3):
            values[i, c] = _limited(factor * values[i, c] + rest)


@kernel
def _saturate(values: np.ndarray, factor: np.float32) -> None:
    rest = np.float32(1) - factor
    for i in range(values.shape[0]):
        r, g, b = values[i]
        grey = rest * (r * JITTER_LUMA[0] + g * JITTER_LUMA[1] + b * JITTER_LUMA[2])
        values[i, 0], values[i, 1], values[i, 2] = (
            _limited(factor * r + grey),
            _limited(factor * g + grey),
            _limited(factor * b + grey),
        )


@kernel
def _turn_hue(values: np.ndarray, turn: np.float32) -> None:
    """Through hue, saturation and value and back; sixths of a turn count from red over yellow to green."""
    one, six = np.float32(1), np.float32(6)
    for i in range(values.shape[0]):
        r, g, b = values[i]
        high, low = max(r, g, b), min(r, g, b)
        spread = high - low
        if spread == 0:
            continue
        if high == r:
            hue = (g - b) / spread
        elif high == g:
            hue = np.float32(2) + (b - r) / spread
        else:
            hue = np.float32(4) + (r - g) / spread
        hue = hue / six + turn
        hue = six * (hue - np.floor(hue))
        sixth = np.int32(hue)
        part = hue - np.float32(sixth)
        falling, rising = high - spread * part, high - spread * (one - part)
        sixth = sixth % 6
        if sixth == 0:
            r, g, b = high, rising, low
        elif sixth == 1:
            r, g, b = falling, high, low
        elif sixth == 2:
            r, g, b = low, high, rising
        elif sixth == 3:
            r, g, b = low, falling, high
        elif sixth == 4:
            r, g, b = rising, low, high
        else:
            r, g, b = high, low, falling
        values[i, 0], values[i, 1], values[i, 2] = r, g, b
