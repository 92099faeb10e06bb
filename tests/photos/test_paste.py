import cv2
import numpy as np
import pytest

from src.faces.template import FFHQ_TEMPLATE
from src.photos.alignment import crop, photo_to_crop
from src.photos.paste import Patch, paste, soft_square
from src.photos.warp import enlarged, inverted

TEMPLATE = np.array(FFHQ_TEMPLATE)
FEATHER = 0.05


def photo(width: int = 600, height: int = 500) -> np.ndarray:
    """Smooth colours with as much detail as a photo has."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


def face_at(x: float, y: float, side: float, degrees: float = 0) -> np.ndarray:
    """Landmarks of a face whose crop has this centre and side."""
    turn = np.deg2rad(degrees)
    matrix = side / 512 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return (TEMPLATE - 255.5) @ matrix.T + [x, y]


def patch(landmarks: np.ndarray, image: np.ndarray, scale: float = 1) -> Patch:
    side = image.shape[0]
    to_crop = inverted(enlarged(inverted(photo_to_crop(landmarks, side)), scale, scale))
    return Patch(image, soft_square(side, FEATHER), to_crop)


def plain(value: int, side: int = 128) -> np.ndarray:
    return np.full((side, side, 3), value, np.uint8)


@pytest.mark.parametrize("side", [90, 200, 380])
@pytest.mark.parametrize("degrees", [0, 25])
def test_an_unrestored_face_returns_to_where_it_was(side, degrees):
    original = photo()
    landmarks = face_at(290, 240, side, degrees)
    to_crop = photo_to_crop(landmarks, 512)
    result = original.copy()
    paste(result, [patch(landmarks, crop(original, to_crop, 512))])
    changed = np.abs(result.astype(int) - original)
    mask = np.zeros(original.shape[:2], np.uint8)
    paste(mask_image := np.zeros_like(original), [patch(landmarks, plain(255, 512))])
    mask = mask_image[:, :, 0] > 0
    assert changed[mask].mean() < 0.5
    assert (changed[~mask] == 0).all()
    assert 0.5 * side**2 < mask.sum() < side**2


def test_masks_blend_softly_and_weigh_faces_by_their_distance():
    mask = soft_square(200, FEATHER)
    assert (mask[0] == 0).all()
    assert (mask[:, -1] == 0).all()
    assert (mask[20:-20, 20:-20] == 1).all()
    steps = np.diff(mask[100, :30])
    assert (steps >= 0).all()
    assert steps.max() < 0.2


def test_neighbours_each_keep_their_own_face():
    result = np.zeros((300, 500, 3), np.uint8)
    left, right = face_at(190, 150, 240), face_at(310, 150, 240)
    paste(result, [patch(left, plain(200)), patch(right, plain(100))])
    row = result[150, :, 0].astype(int)
    # Each face rules on its side although the other crop reaches beyond its middle, and they meet half way.
    assert abs(row[170] - 200) <= 12
    assert abs(row[330] - 100) <= 12
    assert abs(row[250] - 150) <= 3
    assert (np.diff(row[190:310]) <= 1).all()
    alone = np.zeros_like(result)
    paste(alone, [patch(left, plain(200))])
    assert (result[:, :190] <= alone[:, :190] + 1).all()


def test_a_face_across_the_border_and_one_outside():
    original = photo(200, 200)
    result = original.copy()
    paste(result, [patch(face_at(190, 100, 120), plain(255)), patch(face_at(900, 100, 120), plain(255))])
    assert (result[100, 199] == 255).all()
    assert (result[:, :120] == original[:, :120]).all()


def test_sixteen_bits_are_kept_outside_and_filled_inside():
    original = (photo(300, 300).astype(np.uint16) << 8) + 77
    result = original.copy()
    paste(result, [patch(face_at(150, 150, 100), plain(255))])
    assert (result[150, 150] == 65535).all()
    assert (result[:90] == original[:90]).all()


@pytest.mark.parametrize("scale", [0.5, 2, 3.3])
def test_the_place_follows_an_enlarged_background(scale):
    original = photo()
    landmarks = face_at(310, 230, 256, 10)
    face = crop(original, photo_to_crop(landmarks, 512), 512)
    background = cv2.resize(original, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    result = background.copy()
    paste(result, [patch(landmarks, face, scale)])
    # Half a pixel off would cost several levels.
    assert np.abs(result.astype(int) - background)[result != background].mean() < 1.5
