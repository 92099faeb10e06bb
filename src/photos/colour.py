"""Colours of old photos: what is grey stays grey, and a restored face takes the tint of its photo (codeformer.md 4)."""

import cv2
import numpy as np
from jaxtyping import UInt8

Picture = UInt8[np.ndarray, "h w 3"]

GREY_VARIANCE = 10.0
"""Mean variance of the channel differences up to which a photo counts as grey, squared levels."""
LOOKED_AT = 2048
"""Of larger photos every second, third ... pixel is looked at, pixels a side."""
LUMA = np.array([0.2989, 0.587, 0.114], np.float32)
SMALLEST_DEVIATION = 1e-3
"""Of a channel without contrast, levels."""


def is_grey(picture: Picture) -> bool:
    """Whether the channels differ by no more than a constant tint and a little noise."""
    step = max(1, max(picture.shape[:2]) // LOOKED_AT)
    channels = picture[::step, ::step].astype(np.int16)
    differences = np.dstack([channels[:, :, i] - channels[:, :, j] for i, j in ((0, 1), (1, 2), (2, 0))])
    _, deviation = cv2.meanStdDev(differences)
    return bool(np.square(deviation).mean() <= GREY_VARIANCE)


def to_grey(picture: Picture) -> Picture:
    """Luma in all three channels."""
    luma = np.rint(picture.astype(np.float32) @ LUMA).astype(np.uint8)
    return np.repeat(luma[:, :, None], 3, axis=2)


def matched(picture: Picture, reference: Picture) -> Picture:
    """`picture` with the mean and deviation of every channel of `reference`."""
    mean, deviation = (value[:, 0] for value in cv2.meanStdDev(picture))
    goal_mean, goal_deviation = (value[:, 0] for value in cv2.meanStdDev(reference))
    gain = goal_deviation / np.maximum(deviation, SMALLEST_DEVIATION)
    return np.clip(np.rint((picture - mean) * gain + goal_mean), 0, 255).astype(np.uint8)


def recoloured(restored: Picture, crop: Picture, *, grey: bool, mode: str) -> Picture:
    """A restored face in the colours of its photo, by the `mode` of `colour=` (`auto`, `match` or `keep`)."""
    if mode == "keep" or (mode == "auto" and not grey):
        return restored
    return matched(to_grey(restored) if grey else restored, crop)
