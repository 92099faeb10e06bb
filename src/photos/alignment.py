"""From a face in a photo to the aligned crop that restorers take (codeformer.md 4)."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from src.faces.template import FFHQ_TEMPLATE, TEMPLATE_SIDE
from src.photos.warp import Similarity, warp

OUTSIDE = (132, 133, 135)
"""RGB of a crop beyond the photo's border, as the published script has it."""


def photo_to_crop(landmarks: Float[np.ndarray, "5 2"], side: int) -> Similarity | None:
    """The similarity that takes five landmarks closest to the FFHQ template of a crop, by least median of squares.

    None where the landmarks determine none, because they coincide.
    """
    template = np.array(FFHQ_TEMPLATE) * side / TEMPLATE_SIDE
    matrix = cv2.estimateAffinePartial2D(landmarks.astype(np.float64), template, method=cv2.LMEDS)[0]
    if matrix is None or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:, :2])) < 1e-12:
        return None
    return matrix


def crop(
    photo: UInt8[np.ndarray, "h w 3"], to_crop: Similarity, side: int, sampling: str = "cubic"
) -> UInt8[np.ndarray, "s s 3"]:
    """The aligned face; `sampling` is one of `SAMPLINGS`."""
    interpolation = {"cubic": cv2.INTER_CUBIC, "bilinear": cv2.INTER_LINEAR}[sampling]
    return warp(photo, to_crop, side, side, interpolation=interpolation, outside=OUTSIDE)
