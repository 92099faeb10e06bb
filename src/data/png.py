"""Ordinary PNG files (8-bit RGB, not interlaced), decoded faster than by the imaging libraries and checked more strictly."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8

from src.compiled import inline, kernel

SIGNATURE = b"\x89PNG\r\n\x1a\n"
ORDINARY = bytes([8, 2, 0, 0, 0])
"""Bits a channel, RGB, deflate, adaptive filters, not interlaced: the end of the header chunk."""
WITHOUT_INFLUENCE = {b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"pHYs", b"tIME", b"sBIT", b"bKGD"}
"""Chunks beside the header that an ordinary file may have. Others, like EXIF or transparency, are for a full decoder."""
LARGEST = 3 * 2**26
"""Bytes of pixels above which a file is left to the full decoder and its limits."""


def decode_png(data: bytes) -> UInt8[np.ndarray, "h w 3"] | None:
    """The pixels of an ordinary PNG; None if it is another one, or no PNG at all.

    The checksums of every PNG are verified, ordinary or not: of the chunks, and (if ordinary) of the deflated pixels.

    Raises:
        ValueError, zlib.error: it is truncated, or a checksum is wrong.
    """
    if not data.startswith(SIGNATURE):
        return None
    chunks = list(chunks_of(data))
    name, header = chunks[0]
    if name != b"IHDR" or len(header) != 13 or header[8:] != ORDINARY:
        return None
    if any(name not in WITHOUT_INFLUENCE and not _is_plain_text(name, body) for name, body in chunks[1:]):
        return None
    width, height = struct.unpack(">II", header[:8])
    if not 0 < width * height * 3 <= LARGEST:
        return None
    return _pixels(b"".join(body for name, body in chunks if name == b"IDAT"), width, height)


def chunks_of(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """(name, body) up to the end chunk, of content that begins like a PNG.

    Raises:
        ValueError: it is truncated, or a checksum is wrong.
    """
    view = memoryview(data)
    start, name = len(SIGNATURE), b""
    while name != b"IEND":
        if start + 12 > len(data):
            raise ValueError("the PNG ends early")
        length = int.from_bytes(view[start : start + 4], "big")
        end = start + 8 + length
        if end + 4 > len(data):
            raise ValueError("the PNG ends early")
        name = bytes(view[start + 4 : start + 8])
        if zlib.crc32(view[start + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise ValueError(f"the checksum of PNG chunk {name.decode('latin-1')!r} is wrong")
        yield name, view[start + 8 : end]
        start = end + 4


def _is_plain_text(name: bytes, body: memoryview) -> bool:
    # EXIF may hide in texts called "Raw profile type ...".
    return name == b"tEXt" and bytes(body[:11]).lower() != b"raw profile"


def _pixels(deflated: bytes, width: int, height: int) -> UInt8[np.ndarray, "h w 3"]:
    expected = height * (3 * width + 1)
    inflater = zlib.decompressobj()
    # No more than one byte too many: a small file may inflate to any size.
    inflated = inflater.decompress(deflated, expected + 1)
    if len(inflated) != expected or not inflater.eof:
        raise ValueError(f"the PNG does not hold the {expected} bytes of pixels that its header promises")
    filtered = np.frombuffer(inflated, np.uint8).reshape(height, 3 * width + 1)
    image = np.empty((height, width, 3), np.uint8)
    if not _unfilter(filtered, image.reshape(height, 3 * width)):
        raise ValueError("the PNG has an unknown filter")
    return image


@kernel
def _unfilter(filtered: np.ndarray, image: np.ndarray) -> bool:
    above = np.zeros(image.shape[1], np.uint8)
    for y in range(image.shape[0]):
        source, row = filtered[y, 1:], image[y]
        if filtered[y, 0] == 4:
            _paeth(source, above, row)
        elif filtered[y, 0] == 3:
            _average(source, above, row)
        elif filtered[y, 0] == 2:
            for i in range(row.size):
                row[i] = source[i] + above[i]
        elif filtered[y, 0] == 1:
            row[:3] = source[:3]
            for i in range(3, row.size):
                row[i] = source[i] + row[i - 3]
        elif filtered[y, 0] == 0:
            row[:] = source
        else:
            return False
        above = row
    return True


@inline
def _average(source: np.ndarray, above: np.ndarray, row: np.ndarray) -> None:
    for i in range(3):
        row[i] = source[i] + (above[i] >> 1)
    for i in range(3, row.size):
        row[i] = source[i] + ((np.int32(row[i - 3]) + np.int32(above[i])) >> 1)


@inline
def _paeth(source: np.ndarray, above: np.ndarray, row: np.ndarray) -> None:
    # Three chains at once: each pixel waits for its left neighbour, the channels do not wait for each other.
    left_r = left_g = left_b = corner_r = corner_g = corner_b = np.int32(0)
    for i in range(0, row.size, 3):
        up_r, up_g, up_b = np.int32(above[i]), np.int32(above[i + 1]), np.int32(above[i + 2])
        left_r = (_predicted(left_r, up_r, corner_r) + np.int32(source[i])) & 255
        left_g = (_predicted(left_g, up_g, corner_g) + np.int32(source[i + 1])) & 255
        left_b = (_predicted(left_b, up_b, corner_b) + np.int32(source[i + 2])) & 255
        row[i], row[i + 1], row[i + 2] = left_r, left_g, left_b
        corner_r, corner_g, corner_b = up_r, up_g, up_b


@inline
def _predicted(left: np.int32, up: np.int32, corner: np.int32) -> np.int32:
    """Of left, up and corner the one next to left + up - corner; the first of them if two are."""
    from_left, from_up = abs(up - corner), abs(left - corner)
    from_corner = abs(left + up - corner - corner)
    nearest = up if from_up <= from_corner else corner
    return left if from_left <= min(from_up, from_corner) else nearest
