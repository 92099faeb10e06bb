"""Lossy encoding and decoding of 8-bit RGB images."""

import cv2
import numpy as np
from jaxtyping import UInt8

_FORMATS = {"jpeg": (".jpg", cv2.IMWRITE_JPEG_QUALITY), "webp": (".webp", cv2.IMWRITE_WEBP_QUALITY)}


def encode_and_decode(image: UInt8[np.ndarray, "h w 3"], codec: str, quality: int) -> UInt8[np.ndarray, "h w 3"]:
    """The image after `jpeg` (4:2:0) or lossy `webp` at `quality` (1..100)."""
    suffix, option = _FORMATS[codec]
    # OpenCV's codecs take and give BGR.
    _, encoded = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [option, quality])
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None  # it was encoded two lines above
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
