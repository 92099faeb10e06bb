"""Blur and resize of one image: where both follow each other, only the points that the resize reads are blurred."""

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8

from src.degradation.drawn import KernelDraw, ResizeDraw
from src.degradation.drawn_kernel import kernel_weights, separable_taps
from src.degradation.kernels import trim
from src.degradation.levels_resize import resize_levels
from src.degradation.needed_points import blur_and_reduce

_SMALL = 320
"""Sides up to which our one pass is faster than OpenCV's resize and a rounding after it."""
Levels = UInt8[np.ndarray, "_ _ 3"] | Float32[np.ndarray, "_ _ 3"]
_INTERPOLATION = {
    "nearest": cv2.INTER_NEAREST_EXACT,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos": cv2.INTER_LANCZOS4,
}


def blur(levels: Levels, drawn: KernelDraw) -> Float32[np.ndarray, "_ _ 3"]:
    """Correlation with the drawn kernel; reflect-101 border."""
    return blur_and_reduce(levels, _weights(drawn), levels.shape[0])


def resize(levels: Levels, drawn: ResizeDraw) -> Levels:
    """Resize to a square, half-pixel centres; no antialias but by `area`. Bicubic and lanczos may leave 0..255."""
    if levels.shape[0] == drawn.side:
        return levels
    image = levels.astype(np.float32, copy=False)
    return cv2.resize(image, (drawn.side, drawn.side), interpolation=_INTERPOLATION[drawn.interpolation])


def blur_and_resize(levels: Levels, kernel: KernelDraw, drawn: ResizeDraw) -> Levels:
    """`resize(blur(levels))`."""
    if drawn.interpolation == "bilinear" and drawn.side <= levels.shape[0]:
        return blur_and_reduce(levels, _weights(kernel), drawn.side)
    return resize(blur(levels, kernel), drawn)


def resize_to_levels(levels: Levels, drawn: ResizeDraw) -> Levels:
    """`resize`, rounded to 8 bits where that is faster in one pass."""
    if drawn.interpolation == "bilinear" and levels.shape[0] <= _SMALL:
        return resize_levels(levels, drawn.side)
    return resize(levels, drawn)


def _weights(drawn: KernelDraw) -> Float64[np.ndarray, "kh kw"] | Float64[np.ndarray, "k"]:
    taps = separable_taps(drawn)
    return trim(kernel_weights(drawn)) if taps is None else taps
