import io
import time

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from src.photos.photo_file import Photo, read_photo, write_photo
from src.settings.errors import UserError

RANDOM = np.random.default_rng(0)
COLOUR = RANDOM.integers(0, 256, (20, 30, 3), np.uint8)
ALPHA = RANDOM.integers(0, 256, (20, 30), np.uint8)
DEEP = RANDOM.integers(0, 65536, (20, 30, 3), np.uint16)
LIMIT = 100.0


def test_depth_transparency_and_profile_survive(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for colour, alpha in ((COLOUR, None), (COLOUR, ALPHA), (DEEP, None), (DEEP, ALPHA.astype(np.uint16) * 257)):
        write_photo(tmp_path / "a.png", Photo(colour, alpha, profile))
        found = read_photo(tmp_path / "a.png", LIMIT)
        assert found.colour.dtype == colour.dtype
        assert (found.colour == colour).all()
        assert (found.alpha is None and alpha is None) or (found.alpha == alpha).all()
        assert found.profile == profile
        with Image.open(tmp_path / "a.png") as picture:
            assert picture.info["icc_profile"] == profile


def test_sixteen_bits_become_eight_by_rounding(tmp_path):
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    photo = Photo(np.dstack([levels] * 3), None, None)
    assert (photo.eight_bit[:, :, 1] == np.rint(levels / 257)).all()
    assert Photo(COLOUR, None, None).eight_bit is COLOUR


def test_deep_tiff_and_grey_files(tmp_path):
    cv2.imwrite(str(tmp_path / "deep.tiff"), DEEP[:, :, ::-1])
    assert (read_photo(tmp_path / "deep.tiff", LIMIT).colour == DEEP).all()
    cv2.imwrite(str(tmp_path / "grey.png"), DEEP[:, :, 0])
    grey = read_photo(tmp_path / "grey.png", LIMIT)
    assert (grey.colour == DEEP[:, :, :1]).all()
    Image.fromarray(COLOUR[:, :, 0]).save(tmp_path / "plain.jpg", quality=100)
    assert np.ptp(read_photo(tmp_path / "plain.jpg", LIMIT).colour.astype(int), axis=2).max() == 0
    Image.fromarray(COLOUR).save(tmp_path / "plain.tif")
    assert (read_photo(tmp_path / "plain.tif", LIMIT).colour == COLOUR).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_stands_upright_with_its_transparency(tmp_path, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(np.dstack([COLOUR, ALPHA])).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as picture:
        from PIL import ImageOps

        expected = np.asarray(ImageOps.exif_transpose(picture))
    found = read_photo(tmp_path / "a.png", LIMIT)
    assert (found.colour == expected[:, :, :3]).all()
    assert (found.alpha == expected[:, :, 3]).all()


def test_palettes_and_print_colours(tmp_path):
    palette = Image.fromarray(COLOUR).quantize(16)
    palette.info["transparency"] = 3
    palette.save(tmp_path / "p.png", transparency=3)
    found = read_photo(tmp_path / "p.png", LIMIT)
    assert ((found.alpha == 0) == (np.asarray(palette) == 3)).all()
    Image.fromarray(np.full((8, 8, 4), 0, np.uint8), mode=None).convert("RGB").convert("CMYK").save(tmp_path / "c.jpg")
    assert read_photo(tmp_path / "c.jpg", LIMIT).colour.max() <= 2
    Image.fromarray(np.dstack([ALPHA, ALPHA])).save(tmp_path / "la.png")
    assert (read_photo(tmp_path / "la.png", LIMIT).alpha == ALPHA).all()


def test_bad_files_are_one_sentence(tmp_path):
    whole = io.BytesIO()
    Image.fromarray(np.repeat(COLOUR, 20, axis=0)).save(whole, "JPEG", quality=95)
    (tmp_path / "cut.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder.png").mkdir()
    for name in ("cut.jpg", "text.jpg", "empty.png", "folder.png", "absent.png"):
        with pytest.raises(UserError, match=rf"{name}: .*replace or remove it"):
            read_photo(tmp_path / name, LIMIT)


def test_too_many_pixels_are_told_from_the_header(tmp_path):
    for side, message in ((12_000, "12000 x 12000 pixels, 144 million"), (15_000, "more than 178 million pixels")):
        Image.new("1", (side, side)).save(tmp_path / "large.png")
        start = time.monotonic()
        with pytest.raises(UserError, match=message + ".*greatest_megapixels allows 100"):
            read_photo(tmp_path / "large.png", LIMIT)
        assert time.monotonic() - start < 0.5


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"a\.png: cannot be written"):
        write_photo(tmp_path / "file" / "a.png", Photo(COLOUR, None, None))
