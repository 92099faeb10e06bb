"""The renderer's pictures and their ground truth."""

import hashlib
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from src.faces import Part, RenderedFace, render_face
from src.faces.identity import draw_identity
from src.faces.picture import draw_picture

TEMPLATE = np.array([(192.98, 239.95), (318.90, 240.19), (256.63, 314.02), (201.26, 371.41), (313.09, 371.15)])
"""FFHQ landmarks at 512 pixels (conventions of facexlib)."""


@pytest.fixture(scope="module")
def crowd() -> list[RenderedFace]:
    return [render_face(3, identity, picture, 64) for identity in range(24) for picture in range(2)]


def _digest(size: int) -> str:
    face = render_face(5, 7, 1, size)
    digest = hashlib.sha256()
    for array in (face.image, face.parts, face.landmarks5, face.landmarks68):
        digest.update(array.tobytes())
    return digest.hexdigest()


def _distance_to(mask: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Distance in pixels of points (x, y) to the nearest pixel of a mask."""
    rows, columns = np.nonzero(mask)
    centres = np.stack([columns, rows], 1) + 0.5
    return np.linalg.norm(points[:, None] - centres[None], axis=2).min(1)


def test_same_bytes_in_another_process(root: Path) -> None:
    here = _digest(64)
    assert _digest(64) == here
    code = "from tests.faces.test_renderer import _digest; print(_digest(64))"
    there = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


@pytest.mark.parametrize("size", [32, 57, 128, 512])
def test_any_size(size: int) -> None:
    face = render_face(0, 1, 0, size)
    assert face.image.shape == (size, size, 3)
    assert face.parts.shape == (size, size)
    assert face.image.dtype == face.parts.dtype == np.uint8
    assert set(np.unique(face.parts)) <= {int(part) for part in Part}


@pytest.mark.parametrize("arguments", [(0, 0, 0, 31), (0, 0, 0, 513), (-1, 0, 0, 64), (0, -1, 0, 64), (0, 0, -1, 64)])
def test_bad_numbers(arguments: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="expected a whole number"):
        render_face(*arguments)


def test_sizes_show_the_same_picture() -> None:
    for identity in range(6):
        large, small = render_face(1, identity, 0, 256), render_face(1, identity, 0, 64)
        shrunk = cv2.resize(large.image, (64, 64), interpolation=cv2.INTER_AREA).astype(float)
        assert np.abs(shrunk - small.image).mean() < 3.0
        other = render_face(1, identity, 1, 64).image.astype(float)
        assert np.abs(shrunk - other).mean() > 8.0
        np.testing.assert_allclose(large.landmarks68 / 4.0, small.landmarks68, atol=1e-3)
        assert (large.parts[2::4, 2::4] == small.parts).mean() > 0.9


def test_landmarks_follow_the_template(crowd: list[RenderedFace]) -> None:
    points = np.stack([face.landmarks5 for face in crowd]) * 8.0
    np.testing.assert_allclose(points.mean(0), TEMPLATE, atol=9.0)
    spread = points.std(0)
    assert (spread > 1.0).all()
    assert (spread < 35.0).all()


def test_landmarks_lie_on_their_parts() -> None:
    for identity in range(12):
        face = render_face(2, identity, 0, 128)
        marks, parts = face.landmarks68, face.parts
        worn = parts == Part.GLASSES
        assert _distance_to((parts == Part.EYE) | worn, marks[36:48]).max() < 3.0
        assert _distance_to((parts == Part.LIP) | (parts == Part.MOUTH), marks[48:68]).max() < 3.0
        assert _distance_to(parts == Part.NOSE, marks[30:31]).max() < 3.0
        covered = (parts == Part.BROW) | (parts == Part.HAIR) | worn
        assert np.median(_distance_to(covered, marks[17:27])) < 3.0


def test_landmarks_in_image_order(crowd: list[RenderedFace]) -> None:
    for face in crowd:
        left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks5
        assert left_eye[0] < nose[0] + 2 < right_eye[0] + 4
        assert left_mouth[0] < right_mouth[0]
        assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
        marks = face.landmarks68
        assert (np.diff(marks[:17, 0]) > -1.0).all()
        assert marks[8, 1] == marks[:17, 1].max() or abs(marks[8, 1] - marks[:17, 1].max()) < 1.5
        np.testing.assert_allclose(face.landmarks5[0], marks[36:42].mean(0), atol=1e-3)


def test_person_stays_the_same() -> None:
    person = draw_identity(4, 9)
    assert draw_identity(4, 9) == person
    assert draw_identity(4, 10) != person
    assert draw_identity(5, 9) != person
    shots = [draw_picture(4, 9, picture, person) for picture in range(2)]
    assert shots[0] != shots[1]
    assert shots[0].hair.root == shots[1].hair.root == person.hair.root


def test_persons_differ_more_than_their_pictures() -> None:
    def look(identity: int, picture: int) -> np.ndarray:
        face = render_face(6, identity, picture, 64)
        parts = ((Part.SKIN, Part.NOSE), (Part.HAIR,))
        return np.concatenate([face.image[np.isin(face.parts, group)].mean(0) for group in parts])

    haired = [i for i in range(20) if draw_identity(6, i).hair.present and draw_identity(6, i).hair.top > 0.1]
    looks = np.array([[look(identity, picture) for picture in range(3)] for identity in haired])
    within = looks.std(1).mean()
    between = looks.mean(1).std(0).mean()
    assert between > 1.3 * within


def test_pictures_are_smooth_but_not_empty(crowd: list[RenderedFace]) -> None:
    for face in crowd:
        image = face.image.astype(float)
        variation = (np.abs(np.diff(image, axis=0)).mean() + np.abs(np.diff(image, axis=1)).mean()) / 2.0
        assert 2.0 < variation < 25.0
        assert image.std() > 15.0


def test_cheeks_are_skin(crowd: list[RenderedFace]) -> None:
    skin = [int(part) for part in (Part.SKIN, Part.NOSE, Part.BEARD, Part.GLASSES, Part.HAIR)]
    for face in crowd:
        eye, _, nose, mouth, _ = face.landmarks5
        x, y = ((eye + mouth + nose) / 3.0).astype(int)
        assert face.parts[y, x] in skin
        if face.parts[y, x] in (Part.SKIN, Part.NOSE):
            patch = face.image[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3).astype(float).mean(0)
            assert patch[0] > patch[2]


def test_every_part_occurs(crowd: list[RenderedFace]) -> None:
    seen = set(np.unique(np.stack([face.parts for face in crowd])).tolist())
    assert seen == {int(part) for part in Part}
