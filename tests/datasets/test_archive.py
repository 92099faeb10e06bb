"""Faces in a zip archive are those of the folder that was zipped, and what is wrong with it is told."""

import multiprocessing
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from src.data.archive import Archive
from src.data.file_tree import Folder, open_tree
from src.data.folder import FolderFaces
from src.data.image_file import DamagedImage
from src.settings.errors import UserError
from tests.datasets.faces_on_disk import content_of, folder_settings, write_face, write_folder, zipped


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "faces")


@pytest.fixture
def archive(folder: Path) -> Path:
    return zipped(folder, folder.parent / "faces.zip")


@pytest.mark.parametrize("size", [24, 16])
def test_an_archive_gives_what_its_folder_gives(folder, archive, size):
    assert content_of(folder_settings(archive), size) == content_of(folder_settings(folder), size)
    sources = [FolderFaces(folder_settings(root), split="test", size=size) for root in (folder, archive)]
    assert sources[0].fingerprint() == sources[1].fingerprint()


def test_of_many_faces_the_archives_checksums_count(folder, archive, monkeypatch):
    monkeypatch.setattr("src.data.folder.SMALL", 3)
    first = FolderFaces(folder_settings(archive), split="test", size=8).fingerprint()
    write_face(folder / "0" / "000.png", 99)
    other = zipped(folder, folder.parent / "other.zip")
    assert FolderFaces(folder_settings(other), split="test", size=8).fingerprint() != first


def test_hidden_members_and_folders_are_no_faces(folder, archive):
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr("__MACOSX/0/._000.png", b"")
        more.writestr("empty/", b"")
    assert open_tree(str(archive)).files == Folder(folder).files


def _digest(source: FolderFaces, order: list[int], queue) -> None:
    queue.put([source.image(index).tobytes() for index in order])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_read_one_archive_at_once(archive, method, monkeypatch):
    monkeypatch.setattr("src.data.image_memory.BUDGET", 0)
    source = FolderFaces(folder_settings(archive), split="train", size=24)
    expected = [source.image(index).tobytes() for index in range(len(source))]
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    order = list(range(len(source))) * 5
    readers = [
        context.Process(target=_digest, args=(source, order, queue)) for _ in range(2 if method == "fork" else 1)
    ]
    for reader in readers:
        reader.start()
    found = [queue.get(timeout=60) for _ in readers]
    for reader in readers:
        reader.join()
    assert all(images == [expected[index] for index in order] for images in found)


def test_an_archive_is_pickled_as_its_path(archive):
    tree = Archive(archive)
    content = pickle.dumps(tree)
    assert len(content) < 300
    assert pickle.loads(content).read("0/000.png") == tree.read("0/000.png")


def test_a_damaged_member_is_named_with_its_archive(folder):
    archive = folder.parent / "faces.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for path in sorted(folder.rglob("*.png")):
            made.write(path, path.name)
        place = made.getinfo("007.png").header_offset + 300
    data = bytearray(archive.read_bytes())
    data[place] ^= 1
    archive.write_bytes(data)
    everything = {"validation_fraction": 0.0, "test_fraction": 0.0}
    with pytest.raises(DamagedImage, match=r"faces\.zip: 007\.png: is damaged in the archive \(Bad CRC-32"):
        FolderFaces(folder_settings(archive, **everything), split="train", size=8)
    with pytest.warns(UserWarning, match=r"1 of 20 faces \(train\): .*faces\.zip: 007\.png: is damaged"):
        FolderFaces(folder_settings(archive, **everything, on_damaged="skip"), split="train", size=8)


def test_every_cut_archive_is_refused(archive):
    data = archive.read_bytes()
    for length in np.linspace(0, len(data) - 1, 25).astype(int):
        archive.write_bytes(data[:length])
        with pytest.raises(UserError, match=r"faces\.zip: is a damaged zip archive"):
            open_tree(str(archive))


@pytest.mark.parametrize("name", ["../000.png", "a/../../b.png", "/etc/a.png", "..\\a.png", "C:\\a.png"])
def test_names_that_lead_out_of_the_archive_are_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as made:
        made.writestr(name, b"")
    with pytest.raises(UserError, match="is named to lie outside the archive"):
        open_tree(str(tmp_path / "faces.zip"))


def test_encrypted_and_oddly_compressed_members_are_named(archive):
    data = archive.read_bytes()
    directory = data.index(b"PK\x01\x02")
    for offset, value, message in (
        (8, 1, "0/000.png: is encrypted"),
        (10, 99, "0/000.png: is compressed by method 99"),
    ):
        changed = bytearray(data)
        changed[directory + offset] = value
        archive.write_bytes(changed)
        with pytest.raises(UserError, match=rf"faces\.zip: {message}"):
            open_tree(str(archive))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused(archive):
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr("0/000.png", b"another")
    with pytest.raises(UserError, match=r"0/000\.png: is there twice"):
        open_tree(str(archive))


def test_what_is_neither_folder_nor_archive_is_refused(tmp_path):
    (tmp_path / "faces.tar").touch()
    with pytest.raises(UserError, match=r"faces\.tar is neither a folder nor a \.zip archive"):
        open_tree(str(tmp_path / "faces.tar"))
    with pytest.raises(UserError, match=r"the archive .*no\.zip does not exist"):
        open_tree(str(tmp_path / "no.zip"))
