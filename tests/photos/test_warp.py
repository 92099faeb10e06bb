import cv2
import numpy as np
import pytest

from src.photos import warp as warping
from src.photos.warp import bounds, enlarged, inverted, scale_of, shifted


def warp(picture, matrix, width, height, outside, interpolation=cv2.INTER_LINEAR):
    return warping.warp(picture, matrix, width, height, interpolation=interpolation, outside=outside)


def similarity(scale: float, degrees: float, x: float, y: float) -> np.ndarray:
    turn = np.deg2rad(degrees)
    return np.array([[scale * np.cos(turn), -scale * np.sin(turn), x], [scale * np.sin(turn), scale * np.cos(turn), y]])


def blob(x: float, y: float, width: int, height: int, deviation: float) -> np.ndarray:
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * deviation**2)).astype(np.float32)


def centroid(image: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(image.shape)
    return np.array([(columns * image).sum(), (rows * image).sum()]) / image.sum()


@pytest.mark.parametrize("scale", [0.07, 0.2, 0.5, 0.83, 1.0, 3.1])
def test_a_point_lands_where_the_matrix_says_at_every_scale(scale):
    matrix = similarity(scale, 23, 40, -10)
    point = np.array([300.3, 212.8])
    goal = matrix @ [*point, 1]
    matrix[:, 2] += [100, 90] - goal + [0.4, 0.2]
    warped = warp(blob(*point, 600, 500, 3 / min(scale, 1)), matrix, 200, 180, outside=(0, 0, 0))
    assert np.abs(centroid(warped) - [100.4, 90.2]).max() < 0.02


@pytest.mark.parametrize("scale", [0.7, 1.0, 2.5])
def test_without_much_shrinking_it_is_what_opencv_makes_of_the_whole_picture(scale):
    picture = np.random.default_rng(0).integers(0, 256, (120, 150, 3), np.uint8)
    matrix = similarity(scale, -31, 20, 60)
    expected = cv2.warpAffine(picture, matrix, (90, 80), borderMode=cv2.BORDER_CONSTANT, borderValue=(9, 8, 7))
    warped = warp(picture, matrix, 90, 80, outside=(9, 8, 7))
    # OpenCV rounds positions to a thirty-second of a pixel, and the cut moves the origin.
    assert np.abs(warped.astype(int) - expected).mean() < 0.7
    assert (warped == expected).mean() > 0.8


def test_shrinking_averages_instead_of_skipping():
    board = np.repeat((np.indices((512, 512)).sum(axis=0) % 2 * 255).astype(np.uint8)[:, :, None], 3, axis=2)
    small = warp(board, similarity(1 / 8, 0, 0, 0), 60, 60, outside=None)
    assert np.abs(small[2:-2, 2:-2].astype(int) - 127).max() <= 3


def test_a_picture_beyond_the_side_that_opencv_takes():
    panorama = np.zeros((40, 40_000), np.uint8)
    panorama[10:20, 39_000:39_010] = 200
    warped = warp(panorama, similarity(1, 0, -38_990, 0), 40, 40, outside=(0, 0, 0))
    assert (warped[10:20, 10:20] == 200).all()
    assert warped.sum() == 200 * 100


def test_matrices_invert_shift_and_enlarge_as_resizing_does():
    matrix = similarity(1.7, 40, 3, 5)
    point = np.array([11.0, 7.0])
    there = matrix @ [*point, 1]
    assert np.allclose(inverted(matrix) @ [*there, 1], point)
    assert np.allclose(shifted(matrix, 2, 3) @ [*point, 1], there - [2, 3])
    assert scale_of(matrix) == pytest.approx(1.7)
    # A blob moves under cv2.resize as `enlarged` says.
    picture = blob(20.25, 30.5, 64, 64, 4)
    resized = cv2.resize(picture, (128, 192), interpolation=cv2.INTER_LINEAR)
    assert np.allclose(centroid(resized), enlarged(np.eye(2, 3), 2, 3) @ [20.25, 30.5, 1], atol=0.01)


def test_bounds_hold_every_touched_pixel():
    matrix = similarity(2.2, 30, 50, 60)
    warped = warp(np.full((20, 30), 255, np.uint8), matrix, 200, 200, outside=(0, 0, 0))
    rows, columns = np.nonzero(warped)
    left, top, right, bottom = bounds(matrix, 30, 20)
    assert left <= columns.min()
    assert columns.max() < right
    assert top <= rows.min()
    assert rows.max() < bottom
