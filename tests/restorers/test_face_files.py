from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.restorers.face_files import plan_faces, read_face
from src.settings.errors import UserError


def add(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def targets(given: Path, output: Path, overwrite: bool = False) -> dict[str, str]:
    planned = plan_faces(str(given), str(output), overwrite=overwrite)
    return {file.source.name: file.target.relative_to(output).as_posix() for file in planned}


def test_names_follow_the_sources_and_clashes_keep_the_suffix(tmp_path):
    add(tmp_path / "in", "a.jpg", "a.png", "B.webp", "sub/a.bmp", "grid.jpg", "note.txt")
    planned = plan_faces(str(tmp_path / "in"), str(tmp_path / "out"), overwrite=False)
    found = {
        file.source.relative_to(tmp_path / "in").as_posix(): file.target.relative_to(tmp_path / "out").as_posix()
        for file in planned
    }
    assert found == {
        "a.jpg": "a_jpg.png",
        "a.png": "a_png.png",
        "B.webp": "B.png",
        "sub/a.bmp": "sub/a.png",
        "grid.jpg": "grid_jpg.png",
    }


def test_a_clash_never_takes_the_name_of_a_third(tmp_path):
    add(tmp_path / "in", "a.jpg", "a.png", "a_jpg.png", "a_jpg.webp", "a_jpg_png.bmp")
    assert len(set(targets(tmp_path / "in", tmp_path / "out").values())) == 5


def test_a_single_image_is_enough(tmp_path):
    add(tmp_path, "a.jpg")
    assert targets(tmp_path / "a.jpg", tmp_path / "out") == {"a.jpg": "a.png"}


def test_earlier_results_below_the_input_are_no_sources(tmp_path):
    add(tmp_path, "a.jpg", "out/a.png", "out/grid.png")
    assert targets(tmp_path, tmp_path / "out", overwrite=True) == {"a.jpg": "a.png"}


def test_existing_results_are_kept_unless_told_otherwise(tmp_path):
    add(tmp_path, "in/a.jpg", "out/a.png", "out/restore.json")
    with pytest.raises(UserError, match=r"a\.png and 1 more files would be replaced"):
        targets(tmp_path / "in", tmp_path / "out")
    assert targets(tmp_path / "in", tmp_path / "out", overwrite=True) == {"a.jpg": "a.png"}


def test_an_input_is_never_replaced(tmp_path):
    add(tmp_path, "a.png")
    with pytest.raises(UserError, match=r"a\.png is one of the inputs and would be replaced"):
        targets(tmp_path, tmp_path, overwrite=True)


def test_missing_empty_and_impossible_paths_are_named(tmp_path):
    add(tmp_path, "in/notes.txt", "file")
    with pytest.raises(UserError, match=r"input: .*nowhere does not exist"):
        targets(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(UserError, match=r"input: the folder .*in holds no image"):
        targets(tmp_path / "in", tmp_path / "out")
    with pytest.raises(UserError, match=r"output: .*file is a file"):
        targets(tmp_path / "in", tmp_path / "file")


def test_faces_are_resized_bilinearly_and_checked(tmp_path):
    ramp = np.repeat(np.arange(0, 160, 10, dtype=np.uint8)[:, None, None], 16, axis=1).repeat(3, axis=2)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    doubled = read_face(tmp_path / "ramp.png", 32)
    # Pixel centres: row 1 of the doubled image lies a quarter of a pixel below row 0 of the original.
    assert doubled[1:4, 5, 0].tolist() == [3, 8, 13] or doubled[1:4, 5, 0].tolist() == [2, 8, 12]
    assert (read_face(tmp_path / "ramp.png", None) == ramp).all()
    # By four, every pixel counts: the mean of four rows.
    quarter = ramp.reshape(4, 4, 16, 3).mean(axis=(1, 2))[:, None]
    assert np.abs(read_face(tmp_path / "ramp.png", 4).astype(float) - quarter).max() <= 0.5
    Image.new("RGB", (7, 7)).save(tmp_path / "tiny.png")
    Image.new("RGB", (16, 20)).save(tmp_path / "tall.png")
    with pytest.raises(UserError, match=r"tiny\.png: is 7 x 7 pixels; a face needs at least 8 x 8"):
        read_face(tmp_path / "tiny.png", 32)
    with pytest.raises(UserError, match=r"tall\.png: is 16 x 20 pixels; faces must be aligned squares"):
        read_face(tmp_path / "tall.png", 32)
