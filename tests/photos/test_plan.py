from pathlib import Path

import pytest

from src.photos.plan import plan_photos
from src.settings.errors import UserError


def add(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def results(given: str | Path, output: Path, overwrite: bool = False) -> dict[str, str]:
    planned = plan_photos(str(given), str(output), overwrite=overwrite)
    return {file.source.name: file.result.relative_to(output).as_posix() for file in planned}


def test_names_follow_the_sources_and_clashes_keep_the_suffix(tmp_path):
    add(
        tmp_path / "in",
        "a.jpg",
        "a.png",
        "B.webp",
        "sub/a.bmp",
        "clip.MOV",
        "b c (1).tiff",
        "note.txt",
        ".hidden/x.png",
    )
    planned = plan_photos(str(tmp_path / "in"), str(tmp_path / "out"), overwrite=False)
    found = {
        file.source.relative_to(tmp_path / "in").as_posix(): file.result.relative_to(tmp_path / "out").as_posix()
        for file in planned
    }
    assert found == {
        "a.jpg": "results/a_jpg.png",
        "a.png": "results/a_png.png",
        "B.webp": "results/B.png",
        "sub/a.bmp": "results/sub/a.png",
        "clip.MOV": "results/clip.mp4",
        "b c (1).tiff": "results/b c (1).png",
    }


def test_everything_of_one_photo_carries_its_name(tmp_path):
    add(tmp_path, "in/sub/v1.2.jpg")
    (file,) = plan_photos(str(tmp_path / "in"), str(tmp_path / "out"), overwrite=False)
    made = [file.result, file.comparison, file.report, file.crop("03"), file.face("03")]
    assert [path.relative_to(tmp_path / "out").as_posix() for path in made] == [
        "results/sub/v1.2.png",
        "comparisons/sub/v1.2.png",
        "reports/sub/v1.2.json",
        "crops/sub/v1.2_03.png",
        "faces/sub/v1.2_03.png",
    ]


def test_a_clash_never_takes_the_name_of_a_third(tmp_path):
    add(tmp_path / "in", "a.jpg", "a.png", "a_jpg.png", "a_jpg.webp", "a_jpg_png.bmp")
    assert len({name.lower() for name in results(tmp_path / "in", tmp_path / "out").values()}) == 5


def test_a_single_file_and_patterns(tmp_path):
    add(tmp_path, "x/a.jpg", "x/b.png", "y/z/a.jpg", "y/note.txt")
    assert results(tmp_path / "x" / "a.jpg", tmp_path / "out") == {"a.jpg": "results/a.png"}
    assert results(f"{tmp_path}/x/*.png", tmp_path / "out") == {"b.png": "results/b.png"}
    planned = plan_photos(f"{tmp_path}/**/a.jpg", str(tmp_path / "out"), overwrite=False)
    assert [file.name.as_posix() for file in planned] == ["x/a", "y/z/a"]


def test_a_name_with_brackets_is_a_file_before_it_is_a_pattern(tmp_path):
    add(tmp_path, "me[1].jpg")
    assert results(tmp_path / "me[1].jpg", tmp_path / "out") == {"me[1].jpg": "results/me[1].png"}


def test_earlier_results_below_the_input_are_no_sources(tmp_path):
    add(tmp_path, "a.jpg", "out/results/a.png", "out/grid.png")
    assert results(tmp_path, tmp_path / "out", overwrite=True) == {"a.jpg": "results/a.png"}


def test_existing_results_are_kept_unless_told_otherwise(tmp_path):
    add(tmp_path, "in/a.jpg", "out/results/a.png", "out/restore.json")
    with pytest.raises(UserError, match=r"a\.png and 1 more files would be replaced"):
        results(tmp_path / "in", tmp_path / "out")
    assert results(tmp_path / "in", tmp_path / "out", overwrite=True) == {"a.jpg": "results/a.png"}


def test_an_input_is_never_replaced(tmp_path):
    add(tmp_path, "results/a.png")
    with pytest.raises(UserError, match=r"a\.png is one of the inputs and would be replaced"):
        results(tmp_path / "results" / "a.png", tmp_path, overwrite=True)


def test_missing_empty_and_impossible_paths_are_named(tmp_path):
    add(tmp_path, "in/notes.txt", "file")
    for given, message in (
        (tmp_path / "nowhere", r"input: .*nowhere does not exist"),
        (tmp_path / "in", r"input: the folder .*in holds neither photo nor video \(\.png, .*\.mp4"),
        (tmp_path / "in" / "notes.txt", r"input: .*notes\.txt is neither a photo nor a video"),
        (tmp_path / "*.jpg", r"input: .*\*\.jpg matches nothing"),
        (tmp_path / "in" / "*.txt", r"input: the pattern .* holds neither"),
    ):
        with pytest.raises(UserError, match=message):
            results(given, tmp_path / "out")
    add(tmp_path, "in/a.jpg")
    with pytest.raises(UserError, match=r"output: .*file is a file"):
        results(tmp_path / "in", tmp_path / "file")
