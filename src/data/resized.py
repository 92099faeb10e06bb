"""Square images at another size."""

import cv2
import numpy as np
from jaxtyping import UInt8


def resized(image: UInt8[np.ndarray, "a a 3"], size: int) -> UInt8[np.ndarray, "s s 3"]:
    """The image at `size` pixels a side: areas averaged, or enlarged bicubically; the image itself if it has that size."""
    side = image.shape[0]
    if side == size:
        return image
    interpolation = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    scaled: np.ndarray = cv2.resize(image, (size, size), interpolation=interpolation)
    return scaled
