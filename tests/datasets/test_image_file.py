import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from src.data.image_file import DamagedImage, image_files, image_side, read_rgb, write_png
from src.settings.errors import UserError


@pytest.fixture
def colours() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)


def test_written_png_is_read_back_and_leaves_no_temporary_file(tmp_path, colours):
    write_png(tmp_path / "new" / "a.png", colours[:, ::-1])
    assert (read_rgb(tmp_path / "new" / "a.png") == colours[:, ::-1]).all()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp"])
def test_lossless_formats_keep_their_pixels(tmp_path, colours, suffix):
    Image.fromarray(colours).save(tmp_path / f"a{suffix}", lossless=True)
    assert (read_rgb(tmp_path / f"a{suffix}") == colours).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("depth", [8, 16])
def test_exif_orientation_is_applied_as_pillow_does(tmp_path, colours, orientation, depth):
    path = tmp_path / "a.png"
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(colours)
    picture.save(path, exif=exif)
    if depth == 16:
        _graft_exif(path, colours.astype(np.uint16) * 257)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    assert (read_rgb(path) == expected).all()
    assert read_rgb(path).shape == ((9, 6, 3) if orientation > 4 else (6, 9, 3))


def _graft_exif(path, deep: np.ndarray) -> None:
    """Replace a PNG by a 16-bit one that keeps its eXIf chunk."""
    old = path.read_bytes()
    start = old.index(b"eXIf") - 4
    chunk = old[start : start + 12 + int.from_bytes(old[start : start + 4], "big")]
    new = cv2.imencode(".png", deep[:, :, ::-1])[1].tobytes()
    path.write_bytes(new[:33] + chunk + new[33:])


def test_sixteen_bit_colour_and_grey_are_rounded_not_truncated(tmp_path):
    deep = np.random.default_rng(1).integers(0, 65536, (5, 7, 3), np.uint16)
    cv2.imwrite(str(tmp_path / "rgb.png"), deep[:, :, ::-1])
    cv2.imwrite(str(tmp_path / "grey.png"), deep[:, :, 0])
    cv2.imwrite(str(tmp_path / "rgba.png"), np.dstack([deep[:, :, ::-1], np.zeros_like(deep[:, :, 0])]))
    expected = np.round(deep / 65535 * 255).astype(np.uint8)
    assert (expected != deep >> 8).any()
    assert (read_rgb(tmp_path / "rgb.png") == expected).all()
    assert (read_rgb(tmp_path / "rgba.png") == expected).all()
    assert (read_rgb(tmp_path / "grey.png") == expected[:, :, :1]).all()


def test_alpha_is_dropped_and_the_colours_under_it_stay(tmp_path, colours):
    clear = np.dstack([colours, np.zeros(colours.shape[:2], np.uint8)])
    Image.fromarray(clear, "RGBA").save(tmp_path / "a.png")
    assert (read_rgb(tmp_path / "a.png") == colours).all()


def test_grey_grey_alpha_and_bilevel_are_tiled(tmp_path, colours):
    grey = colours[:, :, 0]
    Image.fromarray(grey).save(tmp_path / "l.png")
    Image.fromarray(np.dstack([grey, grey // 2]), "LA").save(tmp_path / "la.png")
    Image.fromarray(grey > 127).save(tmp_path / "1.png")
    assert (read_rgb(tmp_path / "l.png") == grey[:, :, None]).all()
    assert (read_rgb(tmp_path / "la.png") == grey[:, :, None]).all()
    assert (read_rgb(tmp_path / "1.png") == np.where(grey > 127, 255, 0)[:, :, None]).all()


def test_palettes_with_and_without_transparency_show_their_colours(tmp_path):
    levels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    palette = np.random.default_rng(2).integers(0, 256, (256, 3), np.uint8)
    picture = Image.fromarray(levels, "P")
    picture.putpalette(palette.tobytes())
    picture.save(tmp_path / "p.png")
    picture.save(tmp_path / "pt.png", transparency=bytes(range(12)))
    for name in ("p.png", "pt.png"):
        assert (read_rgb(tmp_path / name) == palette[levels]).all()


def test_cmyk_jpeg_becomes_its_colour(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "red.jpg", quality=100)
    assert np.abs(read_rgb(tmp_path / "red.jpg").astype(int) - [255, 0, 0]).max() <= 4


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp"])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.95])
def test_a_truncated_file_is_named(tmp_path, suffix, share):
    path = tmp_path / f"cut{suffix}"
    Image.fromarray(np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(UserError, match=f"cut{suffix}: is "):
        read_rgb(path)


def test_a_truncated_sixteen_bit_png_is_named(tmp_path):
    deep = np.random.default_rng(4).integers(0, 65536, (64, 64, 3), np.uint16)
    data = cv2.imencode(".png", deep)[1].tobytes()
    (tmp_path / "deep.png").write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(UserError, match=r"deep\.png: is damaged"):
        read_rgb(tmp_path / "deep.png")


def test_what_is_no_image_or_no_file_is_named(tmp_path):
    (tmp_path / "notes.png").write_text("not an image")
    (tmp_path / "folder.png").mkdir()
    for name, reason in (("notes.png", "not an image"), ("folder.png", "cannot be read"), ("no.png", "cannot be read")):
        with pytest.raises(UserError, match=rf"{name}: .*{reason}"):
            read_rgb(tmp_path / name)


def test_side_is_read_from_the_header_and_must_be_square(tmp_path, colours):
    Image.fromarray(colours).save(tmp_path / "wide.png")
    Image.fromarray(colours[:, :6]).save(tmp_path / "square.png")
    with (tmp_path / "square.png").open("rb") as stream:
        assert image_side(stream, "square") == 6
    with (
        (tmp_path / "wide.png").open("rb") as stream,
        pytest.raises(UserError, match=r"wide\.png: is 9 x 6 pixels; faces must be aligned squares"),
    ):
        image_side(stream, "wide.png")
    with pytest.raises(DamagedImage, match="notes: is not an image"):
        image_side(io.BytesIO(b"not an image"), "notes")


def test_images_are_found_in_order_without_hidden_ones(tmp_path, colours):
    for name in ("b.PNG", "a.jpg", "sub/c.webp", ".hidden.png", ".cache/d.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in image_files(tmp_path)] == ["a.jpg", "b.PNG", "sub/c.webp"]
