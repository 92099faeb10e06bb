"""Pictures that would take any amount of memory or time, or be read by other programs."""

import io
import os
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageFile

from src.data.image_file import DamagedImage, decode_rgb, image_side, read_rgb
from src.faces.open_picture import MOST_SCANS, open_header, open_picture
from src.leaderboard.page_pictures import data_uri
from src.metrics.reference_set import decode_face
from src.photos.detector import PhotoDetector
from src.photos.open_photo import WholePhotoOpener
from src.photos.opened import OpenedPhoto
from src.photos.photo_file import Photo, read_photo
from src.photos.plan import PhotoFile
from src.photos.video_reader import VideoReader
from src.settings.errors import UserError
from tests.untrusted.bombs import (
    chunk,
    deep_png_with_a_long_chunk,
    deflated_zeros,
    many_scans,
    png,
    resized_header,
    saved,
    tiff_of_two_sizes,
    with_exif,
)
from tests.untrusted.limits import outcome_within

READERS: dict[str, Callable[[Path], Any]] = {
    "faces": read_rgb,
    "photos": lambda path: read_photo(path, 150.0),
    "page": data_uri,
    "reference": decode_face,
}
PROMISES = {
    "png": resized_header("PNG", 50_000),
    "png of a strip": png(2**31 - 1, 1, deflated_zeros(1)),
    "grey png": png(60_000, 60_000, deflated_zeros(1), 0),
    "jpeg": resized_header("JPEG", 65_000),
    "webp": resized_header("WEBP", 16_383),
    "bmp": resized_header("BMP", 2**30),
    "tiff": resized_header("TIFF", 2**30),
    "gif": resized_header("GIF", 65_535),
    "deep zlib": png(8, 8, deflated_zeros(500)),
    "text": png(8, 8, zlib.compress(bytes(8 * 25)), 2, chunk(b"zTXt", b"a\0\0" + deflated_zeros(500))),
    "profile": png(8, 8, zlib.compress(bytes(8 * 33)), 6, chunk(b"iCCP", b"a\0\0" + deflated_zeros(500))),
    "deep png with a chunk of 4 GB": deep_png_with_a_long_chunk(),
    "tiff of two sizes": tiff_of_two_sizes(30_000),
    "scans": many_scans(MOST_SCANS),
}
ALLOWED = {"deep png with a chunk of 4 GB", "deep zlib", "profile", "text"}
"""These may be read, by a decoder that does not unpack or reserve the rest."""


@pytest.mark.parametrize("reader", READERS)
def test_no_picture_takes_more_memory_or_time_than_a_large_one(tmp_path: Path, reader: str) -> None:
    for name, content in PROMISES.items():
        assert len(content) < 3 * 2**20
        path = tmp_path / "bomb.png"
        path.write_bytes(content)
        kind, text = outcome_within(READERS[reader], path, memory=2**29, seconds=10)
        assert kind == "UserError" or (kind == "value" and name in ALLOWED), (name, kind, text)
        if kind == "UserError":
            assert "bomb.png" in text, name
            assert "\n" not in text, name


@pytest.mark.parametrize("reader", READERS)
def test_postscript_is_not_handed_to_its_interpreter(
    tmp_path: Path, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(self: ImageFile.ImageFile, *_: Any, **__: Any) -> None:
        raise AssertionError(f"{self.format} was decoded")

    path = tmp_path / "face.jpg"
    Image.new("RGB", (8, 8)).save(path, "EPS")
    with Image.open(path) as opened:
        assert opened.format == "EPS", "the file is none, so that its refusal proves nothing"
        monkeypatch.setattr(type(opened), "load", load)
    with pytest.raises(UserError, match=r"face\.jpg"):
        READERS[reader](path)


def test_of_an_animation_the_first_picture_counts() -> None:
    frames = [Image.new("RGB", (8, 8), (level, 0, 0)) for level in (40, 200)] * 20
    for kind in ("PNG", "WEBP"):
        buffer = io.BytesIO()
        options = {"lossless": True} if kind == "WEBP" else {}
        frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], **options)
        assert (decode_rgb(buffer.getvalue(), "a")[..., 0] == 40).all()


def test_a_picture_of_two_as_telephones_write_them_is_read() -> None:
    buffer = io.BytesIO()
    views = [Image.new("RGB", (16, 16), (level, 90, 90)) for level in (40, 200)]
    views[0].save(buffer, "MPO", save_all=True, append_images=views[1:])
    assert abs(decode_rgb(buffer.getvalue(), "a")[..., 0].astype(int) - 40).max() <= 2


@pytest.mark.parametrize(("orientation", "count"), [(6, 1), (0, 1), (9, 1), (65_535, 1), (6, 0), (8, 2**31), (6, 2)])
def test_orientations_that_are_none_turn_nothing(orientation: int, count: int) -> None:
    try:
        image = decode_rgb(with_exif(orientation, count), "a.jpg")
    except DamagedImage:
        assert count != 1
    else:
        assert image.shape == (8, 8, 3)


def test_sizes_are_told_from_headers_without_decoding() -> None:
    for kind in ("PNG", "JPEG", "WEBP", "BMP"):
        with pytest.raises(DamagedImage, match=r"a\.png: .*pixels, more than|more than 178 million pixels"):
            image_side(io.BufferedReader(io.BytesIO(resized_header(kind, 16_383))), "a.png")


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "sparse", "loop"])
def test_what_is_no_ordinary_file_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "face.png"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    else:
        with path.open("wb") as stream:
            stream.truncate(2**40)
    for read in (*list(READERS.values())[:2], VideoReader):
        start = time.monotonic()
        with pytest.raises(UserError, match=r"face\.png"):
            read(path)
        assert time.monotonic() - start < 5


def test_a_strip_is_not_enlarged_beyond_measure(tmp_path: Path) -> None:
    strip = Photo(np.zeros((1, 200_000, 3), np.uint8), None, None)
    opened = OpenedPhoto(PhotoFile(tmp_path / "strip.png", tmp_path, Path("strip")), strip)
    opener = WholePhotoOpener(
        object.__new__(PhotoDetector),
        face_size=512,
        sampling="cubic",
        least_side=512,
        only_center=False,
    )
    opener.open([opened])
    assert opened.photo is None
    assert opened.problem is not None
    assert "strip.png: is 200000 x 1 pixels, too many once the short side has 512" in opened.problem


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_a_playlist_is_no_video(tmp_path: Path, suffix: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("private")
    for text in (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '{secret}'\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=a\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    ):
        path = tmp_path / f"list{suffix}"
        path.write_text(text)
        with pytest.raises(UserError, match=r"list\.\w+: is not a video that can be read"):
            VideoReader(path)


def video_of_size(path: Path, side: int) -> None:
    """An MJPEG film in Matroska with one small picture whose header says another side."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mjpeg", rate=25, options={"strict": "-1"})
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuvj420p"
        packets = [
            *stream.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")),
            *stream.encode(None),
        ]
        for packet in packets:
            output.mux(packet)
    data = bytearray(path.read_bytes())
    start = data.index(b"\xff\xc0")
    data[start + 5 : start + 9] = side.to_bytes(2, "big") * 2
    path.write_bytes(data)


def _first_frame(path: Path) -> None:
    with VideoReader(path) as reader:
        next(iter(reader))


def test_a_video_of_any_size_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    video_of_size(path, 65_000)
    kind, text = outcome_within(_first_frame, path, memory=2**29)
    assert (kind, "film.mkv" in text) == ("UserError", True), text
    video_of_size(path, 16)
    assert outcome_within(_first_frame, path)[0] == "value"


def test_pictures_open_side_by_side_leave_the_warnings_of_others_alone() -> None:
    """Threads share the filters: what one restores when it is done must not be what another had set."""
    with warnings.catch_warnings():
        with open_picture(saved("PNG")):
            pass
        filters, kept = warnings.filters, list(warnings.filters)
        first, second = open_picture(saved("PNG")), open_picture(saved("BMP"))
        for step in (first.__enter__, second.__enter__):
            step()
            assert warnings.filters is filters
        for opened in (first, second):
            opened.__exit__(None, None, None)
            assert warnings.filters is filters
        assert filters == kept
        with pytest.warns(UserWarning, match="of somebody else"):
            warnings.warn("of somebody else", UserWarning, stacklevel=1)


def test_of_pictures_that_are_odd_nothing_is_said(tmp_path: Path) -> None:
    """What Pillow warns of, when it opens or decodes them, is an error here if it is heard."""
    buffer = io.BytesIO()
    palette = Image.new("P", (8, 8))
    palette.putpalette(list(range(48)))
    palette.save(buffer, "PNG", transparency=bytes(range(8)))
    large = resized_header("PNG", 9500)
    path = tmp_path / "face.png"
    path.write_bytes(buffer.getvalue())
    with warnings.catch_warnings(), open_picture(saved("PNG")):
        warnings.simplefilter("error")
        with pytest.raises(Warning, match="Transparency"):
            Image.open(path).convert("RGB")
        with pytest.raises(Warning, match="decompression bomb"):
            Image.open(io.BytesIO(large))
        assert decode_face(path).shape == (8, 8, 3)
        with open_header(io.BufferedReader(io.BytesIO(large)), most_pixels=10**8) as picture:
            assert picture.size == (9500, 9500)


def test_ordinary_pictures_are_read_by_all(tmp_path: Path) -> None:
    for kind in ("PNG", "JPEG", "WEBP", "BMP"):
        path = tmp_path / "face.png"
        path.write_bytes(saved(kind))
        for read in READERS.values():
            read(path)
