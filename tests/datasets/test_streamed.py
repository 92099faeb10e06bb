"""A packed store in an object storage gives what it gives in a folder; here the storage is one of fsspec's own."""

import hashlib
import json
import multiprocessing
import pickle
from functools import reduce
from pathlib import Path

import fsspec
import pytest

from src.data import build_source, count_faces
from src.data.image_file import DamagedImage
from src.data.pack import IMAGES, STORE, pack
from src.data.packed_store import INDEX, PackedStore
from src.data.streamed import StreamedFaces, read_remote_index
from src.settings.data import StreamedSettings
from src.settings.errors import UserError
from tests.datasets.faces_on_disk import content_of, folder_settings, splits_of, write_folder

SIZE = 24
DEEP = reduce(lambda inner, _: [inner], range(200), [])


def settings(root: str, cache: Path | None = None) -> StreamedSettings:
    where = None if cache is None else str(cache)
    return StreamedSettings(kind="streamed", flip_probability=0.0, on_damaged="stop", root=root, cache=where)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "faces")


@pytest.fixture
def store(folder: Path) -> Path:
    pack(splits_of(folder_settings(folder), SIZE), folder.parent / "store")
    return folder.parent / "store"


@pytest.fixture
def remote(store: Path):
    """The store's files in memory://bucket/faces."""
    storage = fsspec.filesystem("memory")
    for path in store.iterdir():
        storage.pipe_file(f"/bucket/faces/{path.name}", path.read_bytes())
    yield storage
    storage.rm("/bucket", recursive=True)


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("size", [24, 12])
def test_a_storage_gives_what_the_folder_gave(folder, remote, tmp_path, cached, size):
    where = settings("memory://bucket/faces/", tmp_path / "cache" if cached else None)
    for _ in range(2):
        assert content_of(where, size) == content_of(folder_settings(folder), size)
    assert count_faces(where) == count_faces(folder_settings(folder))


def test_one_face_is_one_range_of_bytes_and_a_kept_one_none(remote, tmp_path, monkeypatch):
    source = StreamedFaces(settings("memory://bucket/faces", tmp_path / "cache"), split="train", size=SIZE)
    asked = []
    whole = remote.cat_file
    monkeypatch.setattr(
        type(remote),
        "cat_file",
        lambda self, path, start, end: asked.append((path, end - start)) or whole(path, start, end),
    )
    expected = source.image(2)
    assert asked == [("/bucket/faces/images.bin", SIZE * SIZE * 3)]
    assert (source.image(2) == expected).all()
    again = pickle.loads(pickle.dumps(source._kept))
    assert (again.get(source._rows[2], lambda: pytest.fail("fetched twice")) == expected).all()
    assert len(asked) == 1


def _send(source: StreamedFaces, queue) -> None:
    queue.put([source.image(index).tobytes() for index in range(len(source))])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_stream_for_themselves_and_share_what_they_keep(store, tmp_path, method):
    source = StreamedFaces(settings(f"file://{store}", tmp_path / "cache"), split="train", size=SIZE)
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=_send, args=(source, queue))
    process.start()
    found = queue.get(timeout=60)
    process.join()
    (store / IMAGES).unlink()
    assert [source.image(index).tobytes() for index in range(len(source))] == found


def test_a_face_that_changed_on_its_way_is_not_taken(remote, tmp_path):
    data = bytearray(remote.cat_file("/bucket/faces/images.bin"))
    data[5] ^= 1
    remote.pipe_file("/bucket/faces/images.bin", bytes(data))
    for cache in (None, tmp_path / "cache"):
        source = StreamedFaces(settings("memory://bucket/faces", cache), split="train", size=SIZE)
        for _ in range(2):
            with pytest.raises(DamagedImage, match=r"memory://bucket/faces: 0/\d+ is not the face that was packed"):
                source.image(0)
        assert source.image(1).shape == (SIZE, SIZE, 3)


def test_the_fingerprint_is_that_of_the_packed_store(remote, store):
    streamed = StreamedFaces(settings("memory://bucket/faces"), split="test", size=SIZE)
    assert streamed.fingerprint() == PackedStore(store).facts.index_sha256


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("memory://bucket/nothing", r"holds no finished packed store \(store\.json is missing\)"),
        ("s4://bucket/faces", r"is no address of a storage"),
    ],
)
def test_addresses_without_a_store_are_told(root, message):
    with pytest.raises(UserError, match=message):
        build_source(settings(root), split="test", size=SIZE, cache=None)


def test_a_missing_package_is_told_with_how_to_install_it(monkeypatch):
    def refuse(address: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", refuse)
    with pytest.raises(UserError, match=r"Install s3fs to access S3\); for s3:// pip install s3fs"):
        build_source(settings("s3://bucket/never-asked"), split="test", size=SIZE, cache=None)


def test_damaged_descriptions_and_odd_requests_are_refused(remote, store):
    with pytest.raises(UserError, match="holds faces of 24 pixels, 32 are asked for"):
        StreamedFaces(settings("memory://bucket/faces"), split="test", size=32)
    remote.pipe_file("/bucket/faces/index.json", b"[]")
    with pytest.raises(UserError, match="is not the index that was written with the store"):
        StreamedFaces(settings("memory://bucket/faces"), split="test", size=SIZE)
    remote.pipe_file("/bucket/faces/store.json", (store / STORE).read_bytes()[:40])
    with pytest.raises(UserError, match=r"faces/store\.json: is damaged"):
        StreamedFaces(settings("memory://bucket/faces"), split="test", size=SIZE)


@pytest.mark.parametrize(
    ("facts", "row", "message"),
    [
        ({"count": -1}, {}, r"store\.json: is damaged \(count is -1, not a whole number above 0\)"),
        ({"size": 2**40}, {}, r"store\.json: is damaged \(size is 1099511627776, not"),
        ({"libraries": DEEP}, {}, r"store\.json: is damaged \(it is nested more than"),
        ({"format": 2}, {}, r"store\.json: has format 2, expected 1; pack"),
        ({"count": 21}, {}, r"index\.json: does not name 21 faces"),
        ({}, {"name": "a\x1b[2J"}, r"index\.json: does not name 20 faces"),
        # Here annotations are checked as well, and come first.
        ({}, {"split": ["test"]}, r"index\.json: (does not name 20 faces|is no index of faces)"),
        ({}, {"identity": {}}, r"index\.json: (does not name 20 faces|is no index of faces)"),
        ({}, {"colour": 1}, r"index\.json: is no index of faces \(.*'colour'"),
    ],
)
def test_stores_of_others_are_refused_as_in_a_folder(remote, store, facts, row, message):
    first, *others = json.loads((store / INDEX).read_text())
    index = json.dumps([first | row, *others]).encode()
    told = json.loads((store / STORE).read_text()) | {"index_sha256": hashlib.sha256(index).hexdigest()} | facts
    for name, content in ((INDEX, index), (STORE, json.dumps(told).encode())):
        (store / name).write_bytes(content)
        remote.pipe_file(f"/bucket/faces/{name}", content)
    for read in (lambda: read_remote_index("memory://bucket/faces"), lambda: PackedStore(store)):
        with pytest.raises(UserError, match=message):
            read()


def test_a_range_that_ends_early_is_no_face_whatever_its_hash_is(remote, store):
    rows = json.loads((store / INDEX).read_text())
    index = json.dumps([row | {"sha256": hashlib.sha256(b"").hexdigest()} for row in rows]).encode()
    told = json.loads((store / STORE).read_text()) | {"index_sha256": hashlib.sha256(index).hexdigest()}
    for name, content in ((INDEX, index), (STORE, json.dumps(told).encode()), (IMAGES, b"")):
        remote.pipe_file(f"/bucket/faces/{name}", content)
    with pytest.raises(DamagedImage, match="is not the face that was packed"):
        StreamedFaces(settings("memory://bucket/faces"), split="test", size=SIZE).image(0)


def test_a_cache_that_cannot_be_written_is_told(remote, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"data\.cache: .*file.* has no room"):
        StreamedFaces(settings("memory://bucket/faces", tmp_path / "file"), split="test", size=SIZE)
