"""Opening pictures that others made: of known formats, and with a bound on what decoding them takes."""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedIOBase, BytesIO
from typing import IO, cast

from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
"""Of the formats that Pillow knows. For others it may start programs (PostScript), or guess."""
MOST_PIXELS = 2**26
"""Of a face, 8192 x 8192: far beyond any set of faces."""
MOST_SCANS = 200
"""Passes of a progressive JPEG over its pixels, which usually are ten; each takes as long as a whole ordinary one."""
PILLOW_MEGAPIXELS = 178
"""Beyond this Pillow opens no picture (twice its MAX_IMAGE_PIXELS)."""
SCAN = b"\xff\xda"
PILLOW_MODULES = r"PIL\b"
PILLOW_WARNINGS = ("ignore", None, Warning, re.compile(PILLOW_MODULES), 0)
"""The filter of these modules' warnings, as `warnings.filters` holds it."""


class TooLargeError(ValueError):
    """A picture has more pixels than are allowed."""


@contextmanager
def open_picture(
    data: bytes, formats: Sequence[str] = FORMATS, most_pixels: float | int = MOST_PIXELS
) -> Iterator[Image.Image]:
    """A picture of this content, whose header is read and whose pixels are not decoded yet.

    Raises:
        PIL.UnidentifiedImageError, TooLargeError: as `open_header`.
        ValueError: it is a JPEG that is decoded in more than `MOST_SCANS` passes.
    """
    with open_header(BytesIO(data), formats, most_pixels) as picture:
        _check_scans(data)
        yield picture


@contextmanager
def open_header(
    stream: BufferedIOBase, formats: Sequence[str] = FORMATS, most_pixels: float | int = MOST_PIXELS
) -> Iterator[Image.Image]:
    """A picture of which only the header is wanted.

    Raises:
        PIL.UnidentifiedImageError: it is of none of the formats.
        TooLargeError: its header promises more than `most_pixels`.
    """
    _quieten_pillow()
    try:
        picture = Image.open(cast(IO[bytes], stream), formats=list(formats))
    except Image.DecompressionBombError:
        raise TooLargeError(f"it has more than {PILLOW_MEGAPIXELS} million pixels") from None
    with picture:
        width, height = picture.size
        if width * height > most_pixels:
            raise TooLargeError(f"it has {width:,} x {height:,} pixels, more than {most_pixels:,.0f}")
        yield picture


def _quieten_pillow() -> None:
    """What is odd and can be decoded is decoded; of sizes Pillow warns, and beyond its limit says none."""
    # The filters are the whole process's: who puts them back afterwards undoes what other threads have set meanwhile.
    if list(warnings.filters[:1]) != [PILLOW_WARNINGS]:
        warnings.filterwarnings("ignore", module=PILLOW_MODULES)


def _check_scans(data: bytes) -> None:
    """Raises ValueError for a JPEG of too many passes."""
    # Within coded pixels the first byte of the marker is never followed by the second.
    if data.startswith(b"\xff\xd8") and (scans := data.count(SCAN)) > MOST_SCANS:
        raise ValueError(f"it has {scans:,} scans, more than {MOST_SCANS}")
