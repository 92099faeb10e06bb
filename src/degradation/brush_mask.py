"""White strokes over an image, for inpainting (codeformer.md 3, brush mask)."""

import cv2
import numpy as np
from jaxtyping import Shaped

from src.degradation.drawn import MaskDraw


def cover(image: Shaped[np.ndarray, "h w 3"], drawn: MaskDraw) -> Shaped[np.ndarray, "h w 3"]:
    """A copy of levels 0..255 (uint8 or float32) with white strokes; ends and joints are round."""
    covered = np.zeros(image.shape[:2], np.uint8)
    for stroke in drawn.strokes:
        points = np.rint(np.array(stroke.points)).astype(np.int32)
        cv2.polylines(covered, [points], isClosed=False, color=1, thickness=max(1, round(stroke.width)))
    return np.where(covered[..., None] > 0, image.dtype.type(255), image)
