"""Small pictures that promise, or unpack to, far more than they are."""

import base64
import io
import struct
import zlib

import numpy as np
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, body: bytes) -> bytes:
    """A chunk of a PNG with its checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, body: bytes, colour: int = 2, *extra: bytes) -> bytes:
    """A PNG of 8 bits a channel with deflated pixels and further chunks before them."""
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", header) + b"".join(extra) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def deflated_zeros(megabytes: int) -> bytes:
    """Zeros that take a thousandth of their room."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(megabytes)) + packer.flush()


def saved(kind: str, size: tuple[int, int] = (8, 8), **options: object) -> bytes:
    """An ordinary picture of one of Pillow's formats."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((size[1], size[0], 3), 90, np.uint8)).save(buffer, kind, **options)
    return buffer.getvalue()


def resized_header(kind: str, side: int) -> bytes:
    """An ordinary small picture whose header was changed to a square of `side` pixels."""
    data = bytearray(saved(kind, lossless=True) if kind == "WEBP" else saved(kind))
    if kind == "JPEG":
        start = data.index(b"\xff\xc0")
        data[start + 5 : start + 9] = struct.pack(">HH", side, side)
    elif kind == "BMP":
        data[18:26] = struct.pack("<ii", side, side)
    elif kind == "WEBP":
        # A lossless stream packs width and height, each less one, into 14 bits.
        data[21:25] = struct.pack("<I", (side - 1) | (side - 1) << 14)
    elif kind == "TIFF":
        for tag in (256, 257):
            place = data.index(struct.pack("<HHI", tag, 4, 1))
            data[place + 8 : place + 12] = struct.pack("<I", side)
    elif kind == "GIF":
        data[6:10] = struct.pack("<HH", side, side)
    else:
        data[16:24] = struct.pack(">II", side, side)
        data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    return bytes(data)


def many_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    whole = saved("JPEG", (64, 64), progressive=True)
    start = whole.rindex(b"\xff\xda")
    return whole[:-2] + whole[start:-2] * count + whole[-2:]


def with_exif(orientation: int, count: int) -> bytes:
    """A JPEG whose EXIF gives the orientation as so many values as `count` says, wherever they would lie."""
    entry = struct.pack("<HHHII", 1, 0x0112, 3, count, orientation)
    exif = b"Exif\0\0II*\0\x08\0\0\0" + entry + bytes(4)
    return saved("JPEG", exif=exif)


def deep_png_with_a_long_chunk() -> bytes:
    """92 bytes, found by fuzzing: Pillow decodes these 6 x 5 pixels of 16 bits, OpenCV makes room for 3.7 GB first."""
    return base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAYAAAAFEAIAAAC5qtby3AAAI0lEQVQIHX3BAQEAAAjDoNNn/fPZQCBpL5L2ImkvkvYiaa8DHSMCqdgwj/AAAAAASUVORK5C"
        "YII="
    )


def tiff_of_two_sizes(side: int) -> bytes:
    """A deep TIFF that names its width and height twice, large and small: decoders differ in which they take."""
    tags = [
        (256, 4, side),
        (256, 4, 4),
        (257, 4, side),
        (257, 4, 4),
        (258, 3, 16),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
    ]
    tags += [(277, 3, 1), (278, 4, side), (279, 4, 32)]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<I", 40) + bytes(32) + struct.pack("<H", len(tags)) + entries + bytes(4)
