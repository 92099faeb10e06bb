"""A packed store: the faces of its source, the same bytes after any interruption, and damage that is found."""

import fcntl
import json
import multiprocessing
import os
import pickle
import resource
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from src.data import build_source, count_faces
from src.data import pack as pack_module
from src.data.image_file import DamagedImage
from src.data.pack import IMAGES, INDEX, LOCK, PLAN, PROGRESS, STORE, UNFINISHED, pack
from src.data.packed_store import PackedStore
from src.settings.data import PackedSettings, SyntheticFacesSettings
from src.settings.errors import UserError
from tests.datasets.faces_on_disk import content_of, folder_settings, splits_of, write_face, write_folder, zipped

SIZE = 24


def packed_settings(root: Path) -> PackedSettings:
    return PackedSettings(kind="packed", flip_probability=0.0, on_damaged="stop", root=str(root))


def store_bytes(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.iterdir()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "faces")


@pytest.fixture
def store(folder: Path) -> Path:
    pack(splits_of(folder_settings(folder), SIZE), folder.parent / "store")
    return folder.parent / "store"


def test_a_store_gives_what_its_folder_and_archive_give(folder, store, tmp_path):
    expected = content_of(folder_settings(folder), SIZE)
    assert content_of(packed_settings(store), SIZE) == expected
    archive = zipped(folder, tmp_path / "faces.zip")
    pack(splits_of(folder_settings(archive), SIZE), tmp_path / "from_archive")
    assert store_bytes(tmp_path / "from_archive") == store_bytes(store)
    assert count_faces(packed_settings(store)) == count_faces(folder_settings(folder))
    assert sorted(store_bytes(store)) == [IMAGES, INDEX, STORE]


def test_smaller_faces_are_those_that_the_folder_gives(folder, store):
    assert content_of(packed_settings(store), 12) == content_of(folder_settings(folder), 12)
    with pytest.raises(UserError, match=r"holds faces of 24 pixels, 25 are asked for"):
        build_source(packed_settings(store), split="test", size=25, cache=None)


def test_a_store_can_be_packed_again_and_moved(store, tmp_path):
    pack(splits_of(packed_settings(store), 12), tmp_path / "smaller")
    assert content_of(packed_settings(tmp_path / "smaller"), 12) == content_of(packed_settings(store), 12)
    before = build_source(packed_settings(store), split="test", size=12, cache=None)
    store.rename(tmp_path / "moved")
    after = build_source(packed_settings(tmp_path / "moved"), split="test", size=SIZE, cache=None)
    assert after.fingerprint() == before.fingerprint()
    copy = pickle.loads(pickle.dumps(after))
    assert (copy.image(1) == after.image(1)).all()


def test_rendered_faces_can_be_packed(tmp_path):
    people = {"identities": 4, "images_per_identity": 2, "validation_identities": 1, "test_identities": 1}
    rendered = SyntheticFacesSettings(kind="synthetic_faces", flip_probability=0.0, on_damaged="stop", seed=1, **people)
    pack(splits_of(rendered, 32), tmp_path / "store")
    assert content_of(packed_settings(tmp_path / "store"), 32) == content_of(rendered, 32)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_bytes_do_not_depend_on_the_number_of_processes(folder, store, tmp_path, workers):
    pack(splits_of(folder_settings(folder), SIZE), tmp_path / "again", workers=workers)
    assert store_bytes(tmp_path / "again") == store_bytes(store)


def _pack_slowly(folder: Path, output: Path, workers: int) -> None:
    pack_module.SYNC_EVERY = 2
    sources = splits_of(folder_settings(folder), SIZE)
    for source in sources.values():
        source.image = lambda index, whole=source.image: (time.sleep(0.02), whole(index))[1]
    pack(sources, output, workers=workers)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_killed_packing_goes_on_and_ends_in_the_same_bytes(folder, store, tmp_path, workers):
    output = tmp_path / "killed"
    for wanted in (3, 8, 15):
        process = multiprocessing.get_context("fork").Process(target=_pack_slowly, args=(folder, output, workers))
        process.start()
        deadline = time.monotonic() + 30
        while process.is_alive() and _rows(output) < wanted and time.monotonic() < deadline:
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert wanted <= _rows(output) < 20
        with pytest.raises(UserError, match="unfinished packed store; make or finish it with"):
            build_source(packed_settings(output), split="test", size=SIZE, cache=None)
    pack(splits_of(folder_settings(folder), SIZE), output)
    assert store_bytes(output) == store_bytes(store)


def _rows(output: Path) -> int:
    path = output / PROGRESS
    return path.read_bytes().count(b"\n") if path.is_file() else 0


@pytest.mark.parametrize("step", range(6))
def test_a_packing_that_stops_at_any_step_goes_on(folder, store, tmp_path, monkeypatch, step):
    """Every renaming of a file in turn is where it stops."""
    output = tmp_path / "stopped"
    steps = iter(range(100))

    def last(whole):
        def act(*given, **how):
            if next(steps) == step:
                raise KeyboardInterrupt
            return whole(*given, **how)

        return act

    with monkeypatch.context() as stopping:
        stopping.setattr(os, "replace", last(os.replace))
        stopping.setattr(Path, "replace", last(Path.replace))
        with pytest.raises(KeyboardInterrupt):
            pack(splits_of(folder_settings(folder), SIZE), output)
    pack(splits_of(folder_settings(folder), SIZE), output)
    assert store_bytes(output) == store_bytes(store)


def test_what_was_written_half_is_cut_off(folder, store, tmp_path):
    output = tmp_path / "torn"
    sources = splits_of(folder_settings(folder), SIZE)
    _interrupt(sources, output, after=7)
    with (output / UNFINISHED).open("ab") as images, (output / PROGRESS).open("ab") as rows:
        images.write(b"half an image")
        rows.write(b'{"name": "half a ro')
    pack(sources, output)
    assert store_bytes(output) == store_bytes(store)
    _interrupt(sources, tmp_path / "lost", after=7)
    with (tmp_path / "lost" / UNFINISHED).open("r+b") as images:
        images.truncate(3 * SIZE * SIZE * 3 + 1)
    pack(sources, tmp_path / "lost")
    assert store_bytes(tmp_path / "lost") == store_bytes(store)


def _interrupt(sources: dict, output: Path, after: int) -> None:
    whole = pack_module.in_order
    pack_module.in_order = lambda function, indices, workers: _stopping(whole(function, indices, workers), after)
    try:
        with pytest.raises(KeyboardInterrupt):
            pack(sources, output)
    finally:
        pack_module.in_order = whole


def _stopping(results, after: int):
    for count, result in enumerate(results):
        if count == after:
            raise KeyboardInterrupt
        yield result


def test_other_faces_and_other_folders_are_refused(folder, store, tmp_path):
    sources = splits_of(folder_settings(folder), SIZE)
    with pytest.raises(UserError, match="store holds a finished store"):
        pack(sources, store)
    with pytest.raises(UserError, match="is not empty and holds no packing"):
        pack(sources, folder)
    output = tmp_path / "begun"
    _interrupt(sources, output, after=5)
    with pytest.raises(UserError, match=r"packing of other faces \(another size\)"):
        pack(splits_of(folder_settings(folder), 12), output)
    other = splits_of(folder_settings(folder, split_seed=5), SIZE)
    with pytest.raises(UserError, match=r"packing of other faces \(another source"):
        pack(other, output)
    locked, done = (multiprocessing.get_context("fork").Event() for _ in range(2))
    holder = multiprocessing.get_context("fork").Process(target=_hold, args=(output / LOCK, locked, done))
    holder.start()
    assert locked.wait(30)
    with pytest.raises(UserError, match="another process is packing"):
        pack(sources, output)
    done.set()
    holder.join()
    plan = json.loads((output / PLAN).read_text())
    (output / PLAN).write_text(json.dumps(plan | {"libraries": {"numpy": "1"}}))
    with pytest.raises(UserError, match="another libraries"):
        pack(sources, output)


def _hold(path: Path, locked, done) -> None:
    with path.open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        locked.set()
        done.wait(30)


def test_a_damaged_face_ends_the_packing_or_is_left_out(tmp_path):
    folder = write_folder(tmp_path / "faces")
    victim = folder / "2" / "009.png"
    victim.write_bytes(victim.read_bytes()[:-20])
    where = folder_settings(folder, on_damaged="skip")
    with pytest.warns(UserWarning, match="1 of"):
        sources = splits_of(where, SIZE)
    for workers in (0, 1):
        with pytest.raises(DamagedImage, match=r"^[^\n]*009\.png: is damaged[^\n]*$"):
            pack(sources, tmp_path / "store", workers=workers)
    assert pack(sources, tmp_path / "store", skip_damaged=True).count == 19
    pack(sources, tmp_path / "at_once", workers=2, skip_damaged=True)
    assert store_bytes(tmp_path / "store") == store_bytes(tmp_path / "at_once")
    index = PackedStore(tmp_path / "store").index
    assert "2/009" not in [face.name for face in index]
    for split, source in sources.items():
        packed = build_source(packed_settings(tmp_path / "store"), split=split, size=SIZE, cache=None)
        given = {source.name(index): index for index in range(len(source))}
        for index in range(len(packed)):
            assert (packed.image(index) == source.image(given[packed.name(index)])).all()
            assert packed.identity(index) == source.identity(given[packed.name(index)])


def test_labels_have_no_gap_where_the_only_picture_of_someone_was_left_out(tmp_path):
    """Without a table every file is a person: a classifier counts them by `identities`."""
    settings = folder_settings(tmp_path / "faces", on_damaged="skip")
    for number in range(10):
        write_face(tmp_path / "faces" / f"{number}.png", number)
    damaged = tmp_path / "faces" / f"{splits_of(settings, SIZE)['train'].name(1)}.png"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    with pytest.warns(UserWarning, match=damaged.name):
        sources = splits_of(settings, SIZE)
    pack(sources, tmp_path / "store", skip_damaged=True)
    packed = build_source(packed_settings(tmp_path / "store"), split="train", size=SIZE, cache=None)
    assert len(packed) == len(sources["train"]) - 1
    assert [packed.identity(index) for index in range(len(packed))] == list(range(packed.identities))


def _pack_with_little_room(folder: Path, output: Path, queue) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    sources = splits_of(folder_settings(folder), SIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10 * SIZE * SIZE * 3, resource.RLIM_INFINITY))
    pack_module.SYNC_EVERY = 4
    try:
        pack(sources, output)
    except UserError as error:
        queue.put(str(error))


def test_a_full_disk_is_told_and_the_packing_goes_on_when_there_is_room(folder, store, tmp_path, monkeypatch):
    output = tmp_path / "full"
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_pack_with_little_room, args=(folder, output, queue))
    process.start()
    assert "full: the faces cannot be written (File too large); free some space" in queue.get(timeout=60)
    process.join()
    assert _rows(output) == 8
    sources = splits_of(folder_settings(folder), SIZE)
    with monkeypatch.context() as full:
        full.setattr("shutil.disk_usage", lambda path: _Usage())
        with pytest.raises(UserError, match=r"needs 0\.0 GiB more and its disk has 0\.0 GiB"):
            pack(sources, output)
    pack(sources, output)
    assert store_bytes(output) == store_bytes(store)


class _Usage:
    free = 100


def test_one_changed_byte_names_its_image_and_a_cut_file_is_refused(store):
    packed = PackedStore(store)
    place = 13 * SIZE * SIZE * 3 + 5
    data = bytearray((store / IMAGES).read_bytes())
    data[place] ^= 1
    (store / IMAGES).write_bytes(data)
    assert list(PackedStore(store).differing(range(20))) == [packed.index[13].name]
    (store / IMAGES).write_bytes(data[:-1])
    with pytest.raises(UserError, match=r"images\.bin: has 34,559 bytes, expected 34,560"):
        PackedStore(store)
    (store / IMAGES).write_bytes(data)
    index = (store / INDEX).read_text()
    (store / INDEX).write_text(index.replace("0/001", "0/999"))
    with pytest.raises(UserError, match="is not the index that was written with the store"):
        PackedStore(store)


def test_images_are_copies_that_can_be_written(store):
    source = build_source(packed_settings(store), split="train", size=SIZE, cache=None)
    before = source.image(0)
    source.image(0)[:] = 0
    assert (source.image(0) == before).all()
    assert np.any(before)
