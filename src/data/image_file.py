"""Images on disk, whatever their coding, as 8-bit RGB."""

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, UnidentifiedImageError

from src.checkpoints.files import atomic_path
from src.checkpoints.plain_files import read_regular
from src.data.png import decode_png
from src.faces.open_picture import TooLargeError, open_header, open_picture
from src.settings.errors import UserError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, MemoryError, cv2.error)


class DamagedImage(UserError):
    """An image file that cannot, or must not, be decoded; the message names it."""


Upright = Callable[[np.ndarray], np.ndarray]
UPRIGHT: dict[int, Upright] = {
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: image.swapaxes(0, 1)[:, ::-1],
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: lambda image: image.swapaxes(0, 1)[::-1],
}
"""What turns an image with this EXIF orientation upright; 1 is upright already."""


def image_files(folder: Path, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> list[Path]:
    """All files below a folder with one of the suffixes, in any case, sorted; hidden ones are left out."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def read_rgb(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """Decode an image file; see `decode_rgb`.

    Raises:
        UserError: the file cannot be read; as `DamagedImage`, it is no image, or truncated.
    """
    try:
        data = read_regular(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    return decode_rgb(data, str(path))


def decode_rgb(data: bytes, where: str) -> UInt8[np.ndarray, "h w 3"]:
    """Decode the content of an image file (PNG, JPEG, WebP, BMP), which messages call `where`; of several the first.

    EXIF orientation is applied; grey is tiled; palettes and CMYK are converted; an alpha channel is dropped and the
    colours under it are kept as they are (codeformer.md 4); 16-bit values v become round(v / 257).

    Raises:
        DamagedImage: it is no image, truncated, or too large (src/faces/open_picture.py).
    """
    with _told(where):
        ordinary = decode_png(data)
        return _decode(data) if ordinary is None else ordinary


def image_side(stream: BufferedIOBase, where: str) -> int:
    """Side in pixels of a square image file, which messages call `where`; reads the header only.

    Raises:
        UserError: it is not square; as `DamagedImage`, it is no image or too large.
    """
    with _told(where), open_header(stream) as picture:
        width, height = picture.size
    return checked_side(where, width, height)


def checked_side(where: Path | str, width: int, height: int) -> int:
    """The side of a square image.

    Raises:
        UserError: it is not square.
    """
    if width != height:
        raise UserError(
            f"{where}: is {width} x {height} pixels; faces must be aligned squares, so crop and align it first"
        )
    return width


def write_png(path: Path, image: UInt8[np.ndarray, "h w 3"]) -> None:
    """Write an RGB image as PNG under a temporary name, then rename it.

    Raises:
        UnwrittenFileError: the disk is full or the folder cannot be written.
    """
    with atomic_path(path) as temporary:
        Image.fromarray(np.ascontiguousarray(image)).save(temporary, format="PNG")


@contextmanager
def _told(where: str) -> Iterator[None]:
    """What decoders raise, as a sentence about the file."""
    try:
        yield
    except UnidentifiedImageError:
        raise DamagedImage(f"{where}: is not an image that can be decoded; replace or remove it") from None
    except TooLargeError as error:
        raise DamagedImage(f"{where}: is too large ({error}); shrink or remove it") from None
    except DECODE_ERRORS as error:
        raise DamagedImage(f"{where}: is damaged ({_reason(error)}); replace or remove it") from None


def _decode(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    with open_picture(data) as picture:
        picture.load()
        orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
        image = _deep_png(data) if _is_deep_png(data) else _eight_bit(picture)
    return np.array(UPRIGHT.get(orientation, lambda upright: upright)(image), order="C")


def _eight_bit(picture: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    if picture.mode.startswith(("I", "F")):
        return _scaled(np.asarray(picture))
    if picture.mode == "P" and "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return np.asarray(picture.convert("RGB"))


def _is_deep_png(data: bytes) -> bool:
    return data.startswith(b"\x89PNG\r\n\x1a\n") and data[24:25] == b"\x10"


def _deep_png(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """A 16-bit PNG, of which Pillow would keep the upper byte of a colour only."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ValueError("the 16-bit PNG cannot be decoded")
    return _scaled(image if image.ndim == 2 else image[:, :, 2::-1])


def _scaled(image: np.ndarray) -> UInt8[np.ndarray, "h w 3"]:
    eight = np.rint(np.clip(image, 0, 65535) / 257.0).astype(np.uint8)
    return np.repeat(eight[:, :, None], 3, axis=2) if eight.ndim == 2 else eight


def _reason(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
