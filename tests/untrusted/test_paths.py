"""Names that lead elsewhere, or that no file system or terminal takes."""

import json
import os
import zipfile
from pathlib import Path

import pytest

from src.config.command import friendly_errors
from src.config.rules import folder_name
from src.data.archive import LARGEST_MEMBER, Archive
from src.data.file_tree import Folder, images_of, open_tree
from src.data.folder import count_faces
from src.data.frozen_manifest import face_file
from src.photos.plan import plan_photos
from src.settings.errors import UserError
from src.settings.printable import is_plain, one_line, printable
from tests.datasets.faces_on_disk import folder_settings, write_face

ODD = {"control": "a\x1b[2Jb", "bidirectional": "a\u202egnp", "line": "a\nb", "half": "a\udcff", "null": "a\0b"}


@pytest.mark.parametrize("file", ["../outside.png", "/{root}/../outside.png", "sub/../../outside.png", "a\0.png"])
def test_a_table_names_no_file_outside_its_folder(tmp_path: Path, file: str) -> None:
    root = tmp_path / "faces"
    write_face(root / "sub" / "a.png", 0)
    write_face(tmp_path / "outside.png", 1)
    file = file.format(root=root)
    (root / "faces.csv").write_text(f"file\n{file}\n")
    with pytest.raises(UserError, match=r"faces\.csv: (names .*, which is not in|cannot be read as CSV)"):
        count_faces(folder_settings(root))
    assert not Folder(root).holds(file)


def test_a_link_within_the_users_own_folder_is_followed(tmp_path: Path) -> None:
    write_face(tmp_path / "elsewhere" / "a.png", 0)
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "b.png").symlink_to(tmp_path / "elsewhere" / "a.png")
    tree = Folder(tmp_path / "faces")
    assert tree.holds("b.png")
    assert tree.read("b.png") == (tmp_path / "elsewhere" / "a.png").read_bytes()


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_pipes_and_devices_of_a_folder_are_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.png"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    tree = Folder(tmp_path)
    for read in (tree.read, tree.open):
        with pytest.raises(UserError, match=r"a\.png: cannot be read \(it is no regular file\)"):
            read("a.png")


@pytest.mark.parametrize("name", [ODD["control"], ODD["bidirectional"], ODD["line"], ODD["half"]])
def test_faces_have_names_that_can_be_printed(tmp_path: Path, name: str) -> None:
    write_face(tmp_path / f"{name}.png", 0)
    with pytest.raises(UserError, match="with characters that cannot be printed; rename it") as caught:
        images_of(open_tree(str(tmp_path)))
    assert is_plain(str(caught.value))
    with pytest.raises(UserError, match="cannot name a file"):
        face_file("hq", name)


@pytest.mark.parametrize("name", ["фото", "顔", "a b (1)", "é", "e\u0301", "👩\u200d🔬"])
def test_names_in_any_writing_are_allowed(tmp_path: Path, name: str) -> None:
    write_face(tmp_path / f"{name}.png", 0)
    assert images_of(open_tree(str(tmp_path))) == [f"{name}.png"]
    assert face_file("hq", name) == f"hq/{name}.png"
    assert list(folder_name("label", name)) == []


def test_an_archive_unpacks_to_a_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "faces.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a.png", b"small")
        made.filelist[0].file_size = LARGEST_MEMBER + 1  # as its directory will say
    with pytest.raises(UserError, match=r"faces\.zip: a\.png: unpacks to 1,073,741,825 bytes, more than 1,073,741,824"):
        Archive(path)


@pytest.mark.parametrize("value", ["", ".", "..", "../x", "a/b", "x" * 201, *ODD.values()])
@pytest.mark.parametrize("key", ["study", "label"])
def test_studies_and_labels_name_one_folder(key: str, value: str) -> None:
    (problem,) = folder_name(key, value)
    assert problem.startswith(f"{key}: ")
    assert is_plain(problem)
    assert len(problem) < 200


def test_a_long_name_is_told_before_anything_is_restored(tmp_path: Path) -> None:
    write_face(tmp_path / "in" / f"{'x' * 240}.png", 0)
    with pytest.raises(UserError, match="has a name too long to be added to; shorten the name"):
        plan_photos(str(tmp_path / "in"), str(tmp_path / "out"), overwrite=False)


def test_results_lie_below_the_output_whatever_the_inputs_are_called(tmp_path: Path) -> None:
    names = [
        "a..png",
        "-rf.png",
        "~.png",
        "$(x).png",
        "%s.png",
        "con.png",
        "CON.PNG",
        "a\\b.png",
        "a\udcff.png",
        " .png",
    ]
    (tmp_path / "in").mkdir()
    for name in names:
        (tmp_path / "in" / name).touch()
    files = plan_photos(str(tmp_path / "in"), str(tmp_path / "out"), overwrite=False)
    assert len(files) == len(names)
    for file in files:
        for path in (file.result, file.comparison, file.report, file.crop("00"), file.face("00")):
            assert path.resolve().is_relative_to((tmp_path / "out").resolve())
            assert ".." not in path.parts
    assert len({file.result for file in files}) == len(files)


def test_messages_do_not_reach_the_terminal_as_commands(capsys: pytest.CaptureFixture[str]) -> None:
    @friendly_errors
    def fails() -> None:
        raise UserError("\x1b]0;title\x07\x9b2J\u202e \udcff.png: is damaged\n  and more")

    with pytest.raises(SystemExit):
        fails()
    said = capsys.readouterr().err
    assert said == "error: \\x1b]0;title\\x07\\x9b2J\\u202e \\udcff.png: is damaged\n  and more\n"


def test_what_is_printable_stays() -> None:
    text = "Größe 1 – 2 (é, 顔, 👩\u200d🔬)\tend"
    assert printable(text) == text
    assert one_line(text + "\n\n") == text.replace("\t", " ") + " "
    assert json.loads(json.dumps(printable("\ud800"))) == "\\ud800"
