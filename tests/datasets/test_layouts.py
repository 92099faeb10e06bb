"""FFHQ and CelebA-HQ as they are published, with and without the lists beside the images."""

import json
from pathlib import Path

import numpy as np
import pytest

from src.data.face_table import FaceTable, read_face_table
from src.data.ffhq import five_points
from src.data.file_tree import open_tree
from src.data.folder import FolderFaces
from src.settings.errors import UserError
from tests.datasets.faces_on_disk import folder_settings, write_face, zipped

NUMBERS = range(10)


def table(root: Path, layout: str, **changes) -> FaceTable:
    return read_face_table(folder_settings(root, layout=layout, **changes), open_tree(str(root)))


def points68(number: int) -> np.ndarray:
    return np.random.default_rng(number).uniform(200, 800, (68, 2)).round(2)


def write_metadata(path: Path, numbers=NUMBERS) -> None:
    """In the form of the published file."""
    entries = {}
    for number in numbers:
        landmarks = points68(number).tolist()
        entries[str(number)] = {
            "category": "training" if number < 5 else "validation",
            "metadata": {"photo_url": "...", "license": "..."},
            "image": {"file_path": f"images1024x1024/00000/{number:05d}.png", "face_landmarks": landmarks},
            "thumbnail": {"file_path": f"thumbnails128x128/00000/{number:05d}.png"},
            "in_the_wild": {"face_rect": [0, 0, 9, 9], "face_landmarks": [[0, 0]] * 68, "face_quad": [0] * 8},
        }
    path.write_text(json.dumps(entries))


@pytest.fixture
def ffhq(tmp_path: Path) -> Path:
    for number in NUMBERS:
        write_face(tmp_path / "images1024x1024" / "00000" / f"{number:05d}.png", number, side=32)
        write_face(tmp_path / "thumbnails128x128" / "00000" / f"{number:05d}.png", number, side=16)
        write_face(tmp_path / "in-the-wild-images" / "00000" / f"{number:05d}.png", number, side=20)
    write_metadata(tmp_path / "ffhq-dataset-v2.json")
    return tmp_path


def test_ffhq_has_the_categories_and_points_of_its_metadata(ffhq):
    found = table(ffhq, "ffhq", validation_fraction=0.2, test_fraction=0.3)
    assert [face.file for face in found.faces] == [f"images1024x1024/00000/{number:05d}.png" for number in NUMBERS]
    splits = [face.split for face in found.faces]
    assert splits[:5] == ["train"] * 5
    assert sorted(splits[5:]) == ["test"] * 3 + ["validation"] * 2
    assert found.notices == (
        f"{ffhq}: takes images1024x1024 and leaves 20 other images out",
        f"{ffhq}: holds 10 of the 70,000 images of FFHQ",
    )
    source = FolderFaces(folder_settings(ffhq, layout="ffhq"), split="train", size=64)
    points = points68(3)
    expected = np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])
    np.testing.assert_allclose(source.landmarks(3), expected * 64 / 1024, rtol=1e-6)


def test_without_a_test_share_all_held_out_images_of_ffhq_are_for_validation(ffhq):
    splits = [face.split for face in table(ffhq, "ffhq", test_fraction=0.0).faces]
    assert splits == ["train"] * 5 + ["validation"] * 5
    splits = [face.split for face in table(ffhq, "ffhq", validation_fraction=0.0).faces]
    assert splits == ["train"] * 5 + ["test"] * 5


def test_ffhq_is_the_same_flat_or_nested_zipped_or_with_the_metadata_above(ffhq, tmp_path):
    def told(root: Path) -> list[tuple]:
        faces = table(root, "ffhq").faces
        return [(Path(face.file).name, face.split, face.landmarks.tolist()) for face in faces]

    flat = tmp_path / "flat"
    for number in NUMBERS:
        write_face(flat / f"{number:05d}.png", number)
    write_metadata(flat / "ffhq-dataset-v2.json")
    expected = told(ffhq / "images1024x1024")
    assert told(flat) == expected
    # The split is drawn by the files' names below the root, so those of the archive are the folder's.
    assert told(zipped(flat, tmp_path / "flat.zip")) == expected
    assert [row[0] for row in told(ffhq)] == [row[0] for row in expected]


def test_ffhq_without_metadata_is_split_by_the_fractions_and_says_so(ffhq):
    (ffhq / "ffhq-dataset-v2.json").unlink()
    found = table(ffhq, "ffhq")
    assert {face.split for face in found.faces} == {"train", "validation", "test"}
    assert found.notices[-1] == f"{ffhq}: no ffhq-dataset-v2.json, so without landmarks, and split by the fractions"
    assert FolderFaces(folder_settings(ffhq, layout="ffhq"), split="test", size=16).notices == found.notices


def test_metadata_that_lack_an_image_or_are_damaged_are_refused(ffhq):
    write_metadata(ffhq / "ffhq-dataset-v2.json", range(7))
    with pytest.raises(UserError, match=r"v2\.json: lacks images1024x1024/00000/00007\.png and 2 more images"):
        table(ffhq, "ffhq")
    content = (ffhq / "ffhq-dataset-v2.json").read_text()
    for broken in (content[:-30], content.replace("category", "kind"), "[]", content.replace("[[", "[[1, 2], [", 1)):
        (ffhq / "ffhq-dataset-v2.json").write_text(broken)
        with pytest.raises(UserError, match=r"v2\.json: is not the metadata of FFHQ"):
            table(ffhq, "ffhq")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("70000.png", "70000.png is no image of FFHQ, which are called 0 to 69,999"),
        ("face.png", "face.png is no image of FFHQ"),
        ("3.png", "00003.png and 3.png are both image 3 of FFHQ"),
    ],
)
def test_files_that_are_none_of_ffhq_are_named(tmp_path, name, message):
    write_face(tmp_path / "00003.png", 0)
    write_face(tmp_path / name, 1)
    with pytest.raises(UserError, match=message):
        table(tmp_path, "ffhq")


def test_five_points_follow_the_68_point_convention():
    points = np.stack([np.arange(68), np.arange(68) * 10], axis=1).astype(np.float32)
    assert five_points(points)[:, 0].tolist() == [38.5, 44.5, 30, 48, 54]
    assert five_points(points)[:, 1].tolist() == [385, 445, 300, 480, 540]


@pytest.fixture
def celeba_hq(tmp_path: Path) -> Path:
    """Image i is that of CelebA 000100 - i, of person i // 2; persons 0-2 train, 3 validate, 4 test."""
    for number in NUMBERS:
        write_face(tmp_path / "CelebA-HQ-img" / f"{number}.jpg", number, side=16)
    write_face(tmp_path / "CelebAMask-HQ-mask-anno" / "0" / "00000_hair.png", 0, side=16)
    originals = [f"{100 - number:06d}.jpg" for number in NUMBERS]
    lines = [f"{number:<12}{99 - number:<12}{original}" for number, original in zip(NUMBERS, originals, strict=True)]
    (tmp_path / "CelebA-HQ-to-CelebA-mapping.txt").write_text("idx orig_idx orig_file\n" + "\n".join(lines))
    people = [f"{original} {number // 2}" for number, original in zip(NUMBERS, originals, strict=True)]
    (tmp_path / "identity_CelebA.txt").write_text("\n".join(people) + "\n")
    parts = [f"{original} {max(0, number // 2 - 2)}" for number, original in zip(NUMBERS, originals, strict=True)]
    (tmp_path / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
    return tmp_path


def test_celeba_hq_has_the_identities_and_parts_of_celeba(celeba_hq):
    found = table(celeba_hq, "celeba_hq")
    faces = {Path(face.file).stem: face for face in found.faces}
    assert [faces[str(number)].identity for number in NUMBERS] == [str(number // 2) for number in NUMBERS]
    expected = ["train"] * 6 + ["validation"] * 2 + ["test"] * 2
    assert [faces[str(number)].split for number in NUMBERS] == expected
    assert found.notices[0] == f"{celeba_hq}: takes CelebA-HQ-img and leaves 1 other images out"
    assert len(found.notices) == 2


def test_celeba_hq_is_the_same_flat_and_padded(celeba_hq, tmp_path):
    flat = tmp_path / "flat"
    for number in NUMBERS:
        write_face(flat / f"{number:05d}.png", number)
    for name in ("CelebA-HQ-to-CelebA-mapping.txt", "identity_CelebA.txt", "list_eval_partition.txt"):
        (flat / name).write_bytes((celeba_hq / name).read_bytes())
    told = [(face.identity, face.split) for face in table(flat, "celeba_hq").faces]
    assert told == [(face.identity, face.split) for face in table(celeba_hq, "celeba_hq").faces]


@pytest.mark.parametrize(
    ("absent", "notice"),
    [
        ("CelebA-HQ-to-CelebA-mapping.txt", "every image is an identity of its own, and the fractions split them"),
        ("identity_CelebA.txt", "no identity_CelebA.txt, so every image is an identity of its own"),
        ("list_eval_partition.txt", "no list_eval_partition.txt, so the fractions split the identities"),
    ],
)
def test_lists_that_celeba_hq_lacks_are_told(celeba_hq, absent, notice):
    (celeba_hq / absent).unlink()
    found = table(celeba_hq, "celeba_hq")
    assert found.notices[-1].endswith(notice)
    assert len(found.faces) == 10


def test_lists_of_celeba_that_cannot_be_right_are_refused(celeba_hq):
    people = celeba_hq / "identity_CelebA.txt"
    whole = people.read_text()
    people.write_text("\n".join(whole.splitlines()[:-1]))
    with pytest.raises(UserError, match=r"identity_CelebA\.txt: lacks 000091\.jpg"):
        table(celeba_hq, "celeba_hq")
    people.write_text(whole.replace("000095.jpg 2", "000095.jpg 2 3"))
    with pytest.raises(UserError, match=r"found '000095\.jpg 2 3'"):
        table(celeba_hq, "celeba_hq")
    people.write_text(whole.replace("000091.jpg 4", "000091.jpg 0"))
    with pytest.raises(UserError, match="identity 0 is in the splits train and test"):
        table(celeba_hq, "celeba_hq")
    people.write_text(whole)
    parts = celeba_hq / "list_eval_partition.txt"
    parts.write_text(parts.read_text().replace("000091.jpg 2", "000091.jpg 7"))
    with pytest.raises(UserError, match=r"part '7' of 000091\.jpg is not one of 0, 1, 2"):
        table(celeba_hq, "celeba_hq")


def test_an_unknown_layout_is_refused(ffhq):
    with pytest.raises(UserError, match=r"data\.layout: 'ffhq2' is not one of none, ffhq, celeba_hq"):
        table(ffhq, "ffhq2")
