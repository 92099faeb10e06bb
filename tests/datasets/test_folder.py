import csv
import multiprocessing
import os
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.data import FaceSource, build_source, count_faces
from src.data import image_memory as image_memory_module
from src.data.face_table import read_face_table
from src.data.file_tree import open_tree
from src.data.folder import FolderFaces
from src.data.image_file import DamagedImage
from src.data.image_memory import ImageMemory
from src.data.listing import LANDMARK_COLUMNS
from src.data.splits import SPLITS
from src.settings.data import DataSettings, FolderSettings
from src.settings.errors import UserError


def settings(root: Path, **changes) -> FolderSettings:
    values = {"table": None, "layout": "none", "validation_fraction": 0.2, "test_fraction": 0.2, "split_seed": 0}
    values |= {"on_damaged": "stop"}
    return FolderSettings(kind="folder", flip_probability=0.0, root=str(root), **(values | changes))


def write_faces(root: Path, names: list[str], side: int = 16) -> None:
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), np.uint8)
        Image.fromarray(pixels).save(path, **({"quality": 95} if path.suffix == ".jpg" else {}))


def write_table(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def plain(tmp_path) -> Path:
    write_faces(tmp_path / "faces", [f"{i // 4}/{i:02d}.{'png' if i % 2 else 'jpg'}" for i in range(20)])
    return tmp_path / "faces"


def test_a_tree_without_table_is_split_by_file(plain):
    sources = {split: build_source(settings(plain), split=split, size=8, cache=None) for split in SPLITS}
    assert {split: len(source) for split, source in sources.items()} == {"train": 12, "validation": 4, "test": 4}
    names = [source.name(index) for source in sources.values() for index in range(len(source))]
    assert sorted(names) == [f"{i // 4}/{i:02d}" for i in range(20)]
    test = sources["test"]
    assert isinstance(test, FaceSource)
    assert [test.identity(index) for index in range(4)] == [0, 1, 2, 3]
    assert test.identities == 4
    assert test.landmarks(0) is None
    assert count_faces(settings(plain)) == {"train": (12, 12), "validation": (4, 4), "test": (4, 4)}


def test_reducing_averages_areas_and_enlarging_keeps_flat_colour(tmp_path):
    write_faces(tmp_path, ["a.png"])
    everything = settings(tmp_path, validation_fraction=0.0, test_fraction=0.0)
    original = np.asarray(Image.open(tmp_path / "a.png")).astype(float)
    same = FolderFaces(everything, split="train", size=16).image(0)
    half = FolderFaces(everything, split="train", size=8).image(0)
    assert (same == original).all()
    assert np.abs(half - original.reshape(8, 2, 8, 2, 3).mean(axis=(1, 3))).max() <= 0.5
    Image.new("RGB", (8, 8), (10, 200, 90)).save(tmp_path / "a.png")
    enlarged = FolderFaces(everything, split="train", size=24).image(0)
    assert enlarged.shape == (24, 24, 3)
    assert (enlarged == [10, 200, 90]).all()


def test_indices_outside_the_split_raise_index_error(plain):
    source = FolderFaces(settings(plain), split="test", size=8)
    for index in (-1, 4):
        for method in (source.image, source.name, source.identity, source.landmarks):
            with pytest.raises(IndexError):
                method(index)


def test_table_gives_splits_identities_and_landmarks_scaled_with_the_image(plain):
    rows = []
    for i, path in enumerate(sorted(plain.rglob("*.*"))):
        split = "train" if i < 12 else ("val" if i < 16 else "test")
        points = {column: 1.5 + k for k, column in enumerate(LANDMARK_COLUMNS)}
        rows.append({"file": path.relative_to(plain), "split": split, "identity": f"p{i // 2}", **points})
    write_table(plain / "faces.csv", rows)
    source = FolderFaces(settings(plain), split="validation", size=32)
    assert (len(source), source.identities) == (4, 2)
    assert [source.identity(index) for index in range(4)] == [0, 0, 1, 1]
    landmarks = source.landmarks(1)
    assert landmarks is not None
    np.testing.assert_allclose(landmarks, (1.5 + np.arange(10).reshape(5, 2)) * 2, rtol=1e-6)
    assert count_faces(settings(plain)) == {"train": (12, 6), "validation": (4, 2), "test": (4, 2)}


def test_without_a_split_column_neither_identities_nor_look_alikes_are_divided(plain):
    files = [path.relative_to(plain).as_posix() for path in sorted(plain.rglob("*.*"))]
    rows = [{"file": file, "identity": f"p{i // 2}", "lookalike_group": i // 4} for i, file in enumerate(files)]
    rows[-1]["lookalike_group"] = rows[-2]["lookalike_group"] = ""
    write_table(plain.parent / "people.csv", rows)
    for seed in range(6):
        table = settings(plain, table=str(plain.parent / "people.csv"), split_seed=seed)
        faces = read_face_table(table, open_tree(table.root)).faces
        for member in ("identity", "group"):
            splits = Counter(key for key, _ in {(getattr(face, member), face.split) for face in faces})
            assert set(splits.values()) == {1}
        assert {face.split for face in faces} == set(SPLITS)
        assert len({face.group for face in faces}) == 6  # five groups, and the identity without one


def _table(plain: Path, **changes) -> None:
    read_face_table(settings(plain, **changes), open_tree(str(plain)))


def _rows(plain: Path, **column) -> list[dict[str, object]]:
    files = [path.relative_to(plain).as_posix() for path in sorted(plain.rglob("*.*"))]
    return [{"file": file} | {key: value(i) for key, value in column.items()} for i, file in enumerate(files)]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"split": lambda i: "test" if i == 7 else "train", "identity": lambda i: f"p{i // 2}"},
            "identity p3 is in the splits train and test",
        ),
        (
            {"split": lambda i: "test" if i == 7 else "train", "lookalike_group": lambda i: i // 4},
            "group look-alike 1 is in the splits train and test",
        ),
        (
            {"identity": lambda i: f"p{i // 2}", "lookalike_group": lambda i: i // 3},
            "identity p1 is in the groups 'look-alike 0' and 'look-alike 1'",
        ),
        ({"split": lambda i: "dev" if i else "train"}, "split 'dev' of .* is not one of train, val, validation, test"),
        ({"nose_x": lambda i: 1}, "landmarks of .* are not ten numbers"),
        ({column: (lambda i: "nan") for column in LANDMARK_COLUMNS}, "landmarks of .* are not finite"),
    ],
)
def test_tables_that_cannot_be_right_are_refused(plain, columns, message):
    write_table(plain / "faces.csv", _rows(plain, **columns))
    with pytest.raises(UserError, match=message):
        _table(plain)


def test_tables_that_do_not_fit_the_folder_are_refused(plain):
    table = plain / "faces.csv"
    rows = _rows(plain)
    write_table(table, [*rows, {"file": "gone.png"}, {"file": "lost.png"}])
    with pytest.raises(UserError, match=r"names gone\.png and 1 more, which is not in"):
        _table(plain)
    write_table(table, [*rows, rows[3]])
    with pytest.raises(UserError, match=r"names 0/03\.png more than once"):
        _table(plain)
    table.write_text("path,split\na.png,train\n")
    with pytest.raises(UserError, match="has no column `file`; its columns are path, split"):
        _table(plain)
    table.write_text("file\n")
    with pytest.raises(UserError, match="names no file"):
        _table(plain)
    with pytest.raises(UserError, match=r"data\.table: other\.csv does not exist"):
        _table(plain, table="other.csv")


def test_missing_empty_and_unknown_sources_are_named(tmp_path):
    with pytest.raises(UserError, match=r"data\.root: the folder .*nowhere does not exist"):
        build_source(settings(tmp_path / "nowhere"), split="train", size=8, cache=None)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match="holds no image"):
        build_source(settings(tmp_path), split="train", size=8, cache=None)
    with pytest.raises(UserError, match=r"data\.kind: 'video' is not one of synthetic_faces, folder"):
        build_source(
            DataSettings(kind="video", flip_probability=0.5, on_damaged="stop"), split="train", size=8, cache=None
        )


def test_an_empty_or_unknown_split_is_an_error(plain):
    with pytest.raises(UserError, match=r"the test split of .* is empty"):
        FolderFaces(settings(plain, test_fraction=0.0), split="test", size=8)
    with pytest.raises(UserError, match="split: 'dev' is not one of"):
        FolderFaces(settings(plain), split="dev", size=8)


def test_damaged_and_oblong_files_are_found_when_the_source_is_built(plain):
    everything = settings(plain, validation_fraction=0.0, test_fraction=0.0)
    victim = plain / "2" / "09.png"
    good = victim.read_bytes()
    victim.write_bytes(good[: len(good) // 2])
    with pytest.raises(UserError, match=r"09\.png: is damaged"):
        FolderFaces(everything, split="train", size=8)
    Image.new("RGB", (16, 12)).save(victim)
    with pytest.raises(UserError, match=r"09\.png: is 16 x 12 pixels"):
        FolderFaces(everything, split="train", size=8)


def test_damaged_files_may_be_named_instead_of_refused(plain):
    everything = settings(plain, validation_fraction=0.0, test_fraction=0.0, on_damaged="skip")
    for name in ("2/09.png", "3/13.png"):
        (plain / name).write_bytes((plain / name).read_bytes()[:60])
    with pytest.warns(UserWarning, match=r"^2 of 20 faces \(train\): .*09\.png: is damaged .* and 1 more$") as told:
        source = FolderFaces(everything, split="train", size=8)
    assert (len(told), len(source)) == (1, 20)
    with pytest.raises(DamagedImage, match=r"13\.png: is damaged"):
        source.image(13)
    assert source.image(12).shape == (8, 8, 3)
    Image.new("RGB", (16, 12)).save(plain / "2" / "09.png")
    with pytest.raises(UserError, match=r"09\.png: is 16 x 12 pixels"):
        FolderFaces(everything, split="train", size=8)


def test_fingerprint_follows_the_content_and_nothing_else(plain, tmp_path):
    def fingerprint(root: Path = plain, split: str = "test", size: int = 8, **changes) -> str:
        return FolderFaces(settings(root, **changes), split=split, size=size).fingerprint()

    first = fingerprint()
    assert fingerprint(split="train", size=16) == first
    moved = tmp_path / "moved"
    os.rename(plain, moved)
    assert fingerprint(moved) == first
    assert fingerprint(moved, split_seed=1) != first
    path = moved / "0" / "01.png"
    with Image.open(path) as picture:
        pixels = np.array(picture)
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(path)
    changed = fingerprint(moved)
    assert changed != first
    path.rename(moved / "0" / "99.png")
    assert fingerprint(moved) not in (first, changed)


def test_names_keep_the_suffix_where_stems_clash(tmp_path):
    write_faces(tmp_path, ["a.png", "a.jpg", "b.png"])
    source = FolderFaces(settings(tmp_path, validation_fraction=0.0, test_fraction=0.0), split="train", size=8)
    assert [source.name(index) for index in range(3)] == ["a.jpg", "a.png", "b.png"]


def test_images_are_decoded_once_and_handed_out_as_copies(plain):
    source = FolderFaces(settings(plain), split="test", size=8)
    before = source.image(0)
    for path in plain.rglob("*.*"):
        path.unlink()
    source.image(0)[:] = 0
    assert (source.image(0) == before).all()


def _fill(memory: ImageMemory) -> None:
    memory.get(1, lambda: np.full((4, 4, 3), 7, np.uint8))


def test_memory_is_shared_with_forked_workers_but_not_pickled():
    memory = ImageMemory(3, 4)
    worker = multiprocessing.get_context("fork").Process(target=_fill, args=(memory,))
    worker.start()
    worker.join()

    def fail() -> np.ndarray:
        raise AssertionError("decoded twice")

    assert (memory.get(1, fail) == 7).all()
    copy = pickle.loads(pickle.dumps(memory))
    assert (copy.get(1, lambda: np.full((4, 4, 3), 9, np.uint8)) == 9).all()


def test_more_images_than_the_budget_are_decoded_each_time(monkeypatch):
    monkeypatch.setattr(image_memory_module, "BUDGET", 3 * 4 * 4 * 3 - 1)
    memory = ImageMemory(3, 4)
    assert not memory.keeps
    values = iter((1, 2))
    assert [int(memory.get(0, lambda: np.full((4, 4, 3), next(values), np.uint8))[0, 0, 0]) for _ in range(2)] == [1, 2]


def test_faces_hq_has_its_documented_splits_and_plausible_landmarks(shared):
    root = shared / "data" / "faces_hq"
    if not root.is_dir():
        pytest.skip("the folder ../shared/data/faces_hq is absent")
    counts = count_faces(settings(root))
    assert {split: images for split, (images, _) in counts.items()} == {"train": 804, "validation": 100, "test": 100}
    source = FolderFaces(settings(root), split="test", size=64)
    assert source.image(0).shape == (64, 64, 3)
    mean = np.mean([source.landmarks(index) for index in range(len(source))], axis=0) * 512 / 64
    template = [(192.98, 239.95), (318.90, 240.19), (256.63, 314.02), (201.26, 371.41), (313.09, 371.15)]
    assert np.abs(mean - template).max() < 8
