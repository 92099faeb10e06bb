"""Fast decoding of ordinary PNG files: the same pixels, and never a silently wrong picture."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from src.data.image_file import DamagedImage, decode_rgb
from src.data.png import SIGNATURE, decode_png


def picture(seed: int, height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    smooth = cv2.resize(rng.integers(0, 256, (4, 4, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    return (smooth // 2 + rng.integers(0, 100, (height, width, 3))).astype(np.uint8)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(image: np.ndarray, filters: list[int], **extra: bytes) -> bytes:
    """A PNG whose row y has filter `filters[y % len(filters)]`; its deflated pixels can be replaced."""
    height, width, _ = image.shape
    wide = np.pad(image.astype(np.int32), ((1, 0), (1, 0), (0, 0)))
    now, left, up, corner = wide[1:, 1:], wide[1:, :-1], wide[:-1, 1:], wide[:-1, :-1]
    distance = [np.abs(left + up - corner - other) for other in (left, up, corner)]
    paeth = np.where(
        (distance[0] <= distance[1]) & (distance[0] <= distance[2]),
        left,
        np.where(distance[1] <= distance[2], up, corner),
    )
    predicted = np.stack([np.zeros_like(now), left, up, (left + up) // 2, paeth])
    rows = []
    for y in range(height):
        kind = filters[y % len(filters)]
        rows.append(bytes([kind]) + ((now[y] - predicted[min(kind, 4), y]) & 255).astype(np.uint8).tobytes())
    deflated = extra.get("deflated", zlib.compress(b"".join(rows)))
    cut = len(deflated) // 3
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return SIGNATURE + header + chunk(b"IDAT", deflated[:cut]) + chunk(b"IDAT", deflated[cut:]) + chunk(b"IEND", b"")


@pytest.mark.parametrize("filters", [[0], [1], [2], [3], [4], [4, 3, 2, 1, 0], [2, 4], [3, 4, 1]])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 1), (17, 23)])
def test_every_filter_gives_the_pixels_that_other_decoders_give(filters, shape):
    image = picture(len(filters), *shape)
    data = png(image, filters)
    assert (decode_png(data) == image).all()
    assert (np.asarray(Image.open(io.BytesIO(data))) == image).all()


@pytest.mark.parametrize("level", [0, 1, 9])
def test_files_of_other_writers_are_decoded_to_the_same_pixels(level):
    image = picture(1, 61, 83)
    for writer in ("pillow", "opencv"):
        if writer == "pillow":
            stream = io.BytesIO()
            info = PngImagePlugin.PngInfo()
            info.add_text("Title", "a face")
            Image.fromarray(image).save(stream, "PNG", compress_level=level, pnginfo=info, dpi=(72, 72))
            data = stream.getvalue()
        else:
            data = cv2.imencode(".png", image[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, level])[1].tobytes()
        decoded = decode_png(data)
        assert decoded is not None
        assert (decoded == image).all()


def test_what_a_full_decoder_must_see_is_left_to_it():
    image = Image.fromarray(picture(2, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = 6
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", "\nexif\n 0\n")
    ways = [{"exif": exif}, {"pnginfo": info}, {"transparency": (1, 2, 3)}]
    pictures = [(image, way) for way in ways] + [(image.convert(mode), {}) for mode in ("L", "P", "RGBA", "1", "I;16")]
    for given, way in pictures:
        stream = io.BytesIO()
        given.save(stream, "PNG", **way)
        assert decode_png(stream.getvalue()) is None, (given.mode, way)
    assert decode_png(b"\xff\xd8\xff\xe0 a JPEG") is None


def test_a_file_cut_anywhere_is_refused():
    data = png(picture(3, 12, 14), [4, 2])
    for length in range(1, len(data)):
        with pytest.raises(DamagedImage, match=r"^here: is "):
            decode_rgb(data[:length], "here")


def test_a_flipped_bit_never_gives_another_picture():
    """Of every byte one bit; also in the kinds of PNG that Pillow decodes, whose checksums it does not all look at."""
    image = picture(4, 12, 14)
    kinds = [png(image, [4, 1, 3])]
    for given in (Image.fromarray(image).convert("L"), Image.fromarray(image).convert("RGBA")):
        stream = io.BytesIO()
        given.save(stream, "PNG")
        kinds.append(stream.getvalue())
    for data in kinds:
        for place in range(len(data)):
            broken = bytearray(data)
            broken[place] ^= 1 << (place % 8)
            with pytest.raises(DamagedImage):
                decode_rgb(bytes(broken), "here")


@pytest.mark.parametrize(
    ("deflated", "reason"),
    [
        (zlib.compress(bytes(5)), "does not hold the 518 bytes"),
        (zlib.compress(bytes(10**6)), "does not hold the 518 bytes"),
        (zlib.compress(bytes(518))[:-5], "does not hold the 518 bytes"),
        (zlib.compress(bytes(518))[:-1] + b"\x00", "incorrect data check"),
        (zlib.compress(b"\x05" + bytes(517)), "unknown filter"),
    ],
)
def test_pixels_that_do_not_fit_are_refused_though_all_chunks_are_whole(deflated, reason):
    with pytest.raises(DamagedImage, match=reason):
        decode_rgb(png(picture(5, 14, 12), [0], deflated=deflated), "here")


def test_what_follows_the_end_is_ignored(tmp_path: Path):
    image = picture(6, 5, 5)
    assert (decode_rgb(png(image, [0]) + b"notes of a camera", "here") == image).all()
