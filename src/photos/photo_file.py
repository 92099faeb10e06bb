"""Photos on disk with all that a restoration keeps: depth, transparency and colour profile."""

import math
import struct
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8, UInt16
from PIL import ExifTags, Image, UnidentifiedImageError

from src.checkpoints.files import atomic_path
from src.checkpoints.plain_files import read_regular
from src.data.image_file import DECODE_ERRORS, IMAGE_SUFFIXES, UPRIGHT
from src.data.png import chunks_of
from src.faces.open_picture import FORMATS, TooLargeError, open_picture
from src.settings.errors import UserError

PHOTO_SUFFIXES = (*IMAGE_SUFFIXES, ".tif", ".tiff", ".jfif")
PHOTO_FORMATS = (*FORMATS, "TIFF")
Colour = UInt8[np.ndarray, "h w 3"] | UInt16[np.ndarray, "h w 3"]
Alpha = UInt8[np.ndarray, "h w"] | UInt16[np.ndarray, "h w"]

PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_HEADER_END = 33
"""The signature and the IHDR chunk, after which a colour profile may stand, bytes."""
TIFF_STARTS = (b"II*\0", b"MM\0*")


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photo, upright."""

    colour: Colour
    """RGB; 16-bit where the file is."""
    alpha: Alpha | None
    profile: bytes | None
    """ICC profile, which says what the colours mean."""

    @cached_property
    def eight_bit(self) -> UInt8[np.ndarray, "h w 3"]:
        """The colours in levels 0..255, v / 257 rounded for 16-bit ones."""
        return self.colour if self.colour.dtype == np.uint8 else _eighth(self.colour)


def read_photo(path: Path, greatest_megapixels: float) -> Photo:
    """Decode an image file.

    EXIF orientation is applied, grey becomes three equal channels, palettes and CMYK become RGB.

    Raises:
        UserError: the file is missing, no image, damaged, or has more pixels than allowed; the last is told from its
            header.
    """
    try:
        data = read_regular(path)
        with open_picture(data, PHOTO_FORMATS, math.inf) as picture:
            _check_size(path, picture, greatest_megapixels)
            return _decoded(data, picture)
    except UnidentifiedImageError:
        raise UserError(f"{path}: is not an image that can be decoded; replace or remove it") from None
    except TooLargeError as error:
        raise UserError(
            f"{path}: {error}; greatest_megapixels allows {greatest_megapixels:g}: shrink the photo"
        ) from None
    except DECODE_ERRORS as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: is damaged or cannot be read ({reason}); replace or remove it") from None


def write_photo(path: Path, photo: Photo) -> None:
    """Write a PNG with the photo's depth, transparency and profile, under a temporary name first.

    Raises:
        UserError: the file cannot be written.
    """
    layers = photo.colour[:, :, ::-1] if photo.alpha is None else np.dstack([photo.colour[:, :, ::-1], photo.alpha])
    done, encoded = cv2.imencode(".png", np.ascontiguousarray(layers))
    if not done:
        raise UserError(f"{path}: a picture of {layers.shape[1]} x {layers.shape[0]} pixels cannot be written as PNG")
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(_with_profile(encoded.tobytes(), photo.profile))
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from None


def _check_size(path: Path, picture: Image.Image, greatest_megapixels: float) -> None:
    megapixels = picture.width * picture.height / 1e6
    if megapixels > greatest_megapixels:
        raise UserError(
            f"{path}: has {picture.width} x {picture.height} pixels, {megapixels:.0f} million; greatest_megapixels allows "
            f"{greatest_megapixels:g}: raise it or shrink the photo"
        )


def _decoded(data: bytes, picture: Image.Image) -> Photo:
    picture.load()
    profile = picture.info.get("icc_profile")
    orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
    colour, alpha = _deep(data) or _shallow(picture)
    turn = UPRIGHT.get(orientation, lambda image: image)
    # A CMYK or grey profile does not describe the RGB values that are kept.
    fitting = profile if isinstance(profile, bytes) and profile[16:20] == b"RGB " else None
    return Photo(
        np.ascontiguousarray(turn(colour)), None if alpha is None else np.ascontiguousarray(turn(alpha)), fitting
    )


def _deep(data: bytes) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Colour and transparency of a 16-bit PNG or TIFF, which Pillow would cut to 8 bits; None for anything else."""
    is_deep_png = data.startswith(PNG_START) and data[24:25] == b"\x10"
    if not (is_deep_png or data.startswith(TIFF_STARTS)):
        return None
    if is_deep_png:
        # OpenCV makes room for whatever length a chunk states, before it looks for its end.
        list(chunks_of(data))
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.dtype != np.uint16:
        return None
    if image.ndim == 2:
        return np.repeat(image[:, :, None], 3, axis=2), None
    return image[:, :, 2::-1], image[:, :, 3] if image.shape[2] == 4 else None


def _shallow(picture: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    if picture.mode.startswith(("I", "F")):
        grey = np.clip(np.asarray(picture), 0, 65535).astype(np.uint16)
        return np.repeat(grey[:, :, None], 3, axis=2), None
    if picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info:
        layers = np.asarray(picture.convert("RGBA"))
        return layers[:, :, :3], layers[:, :, 3]
    return np.asarray(picture.convert("RGB")), None


def _eighth(colour: np.ndarray) -> UInt8[np.ndarray, "h w 3"]:
    return ((colour.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _with_profile(png: bytes, profile: bytes | None) -> bytes:
    if profile is None:
        return png
    content = b"iCCP" + b"ICC profile\0\0" + zlib.compress(profile)
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    return png[:PNG_HEADER_END] + chunk + png[PNG_HEADER_END:]
