import numpy as np

from src.faces.template import FFHQ_TEMPLATE
from src.photos.alignment import OUTSIDE, crop, photo_to_crop
from src.photos.warp import inverted

TEMPLATE = np.array(FFHQ_TEMPLATE)


def test_a_turned_small_and_moved_face_returns_to_the_template():
    turn = np.deg2rad(-37)
    matrix = 0.3 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    landmarks = TEMPLATE @ matrix.T + [400, 90]
    for side in (512, 128):
        to_crop = photo_to_crop(landmarks, side)
        assert np.allclose(np.c_[landmarks, np.ones(5)] @ to_crop.T, TEMPLATE * side / 512, atol=1e-3)


def test_one_wrong_landmark_does_not_move_the_others():
    landmarks = TEMPLATE.copy()
    landmarks[3] += [60, -40]
    assert np.allclose(photo_to_crop(landmarks, 512), np.eye(2, 3), atol=1e-2)


def test_landmarks_that_fit_no_face_give_none():
    assert photo_to_crop(np.full((5, 2), 7.0), 512) is None


def test_the_crop_shows_the_face_and_grey_beyond_the_border():
    photo = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    landmarks = TEMPLATE / 2 - [60, 20]
    to_crop = photo_to_crop(landmarks, 256)
    face = crop(photo, to_crop, 256)
    assert (face[21:, 61:] == photo[1:236, 1:196]).mean() > 0.95
    assert (face[:, :59] == OUTSIDE).all()
    assert np.allclose(inverted(to_crop)[:, 2], [-60, -20], atol=0.01)
