"""Reports on sources: problems of every kind are found and named, and what is reported is what is there."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.data.pack import pack
from src.data.source_check import check_source
from src.data.source_statistics import source_statistics
from src.settings.data import PackedSettings
from src.settings.errors import UserError
from tests.datasets.faces_on_disk import folder_settings, splits_of, write_face, write_folder, zipped


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten faces for training, five for validation, five for the test, as a table says."""
    root = tmp_path / "faces"
    rows = []
    for number in range(20):
        write_face(root / f"{number:02d}.png", number)
        rows.append({"file": f"{number:02d}.png", "split": ("train", "train", "val", "test")[number // 5]})
    with (root / "faces.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, ["file", "split"])
        writer.writeheader()
        writer.writerows(rows)
    return root


@pytest.mark.parametrize("workers", [0, 2])
def test_every_kind_of_problem_is_named(folder, workers):
    (folder / "03.png").write_bytes((folder / "03.png").read_bytes()[:99])
    Image.new("RGB", (24, 20)).save(folder / "04.png")
    write_face(folder / "05.png", 5, side=8)
    shutil.copy(folder / "06.png", folder / "07.png")
    Image.open(folder / "08.png").save(folder / "16.png", compress_level=0)
    found = check_source(folder_settings(folder), size=24, workers=workers)
    assert found.faces == 20
    assert [Path(text.split(":")[0]).name for text in found.damaged] == ["03.png"]
    assert len(found.unusable) == 1
    assert "04.png: is 24 x 20 pixels" in found.unusable[0]
    assert found.too_small == ("train: 05 (8 pixels)",)
    assert found.duplicates == ("train: 06, train: 07",)
    assert found.leaks == ("train: 08, test: 16",)
    assert not found.usable
    for line in ("20 faces checked", "damaged: 1", "same pixels in several splits: 1", "  train: 08, test: 16"):
        assert line in str(found).splitlines()


def test_a_faultless_source_is_usable_wherever_it_lies(folder, tmp_path):
    archive = zipped(folder, tmp_path / "faces.zip")
    pack(splits_of(folder_settings(folder), 24), tmp_path / "store")
    store = PackedSettings(kind="packed", flip_probability=0.0, on_damaged="stop", root=str(tmp_path / "store"))
    for settings in (folder_settings(folder), folder_settings(archive), store):
        found = check_source(settings, size=24)
        assert (found.usable, found.faces, found.too_small, found.duplicates) == (True, 20, (), ())


def test_an_identity_in_two_splits_is_refused(folder):
    rows = (folder / "faces.csv").read_text().splitlines()
    people = [f"{row},{'p' if number in (0, 18) else number}" for number, row in enumerate(rows[1:])]
    (folder / "faces.csv").write_text("\n".join([f"{rows[0]},identity", *people]))
    with pytest.raises(UserError, match="identity p is in the splits train and test"):
        check_source(folder_settings(folder), size=24)


def test_statistics_are_those_of_the_files(folder):
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(folder / "19.png")
    found = source_statistics(folder_settings(folder), size=24)
    assert found.splits == {"train": (10, 10), "validation": (5, 5), "test": (5, 5)}
    assert found.sides == (24, 24.0, 40)
    assert found.types == {"png": 20}
    assert found.nbytes == sum(path.stat().st_size for path in folder.glob("*.png"))
    pixels = np.stack([np.asarray(Image.open(folder / f"{number:02d}.png")) for number in range(19)]) / 255
    everything = np.concatenate([pixels.reshape(-1, 3), np.zeros((24 * 24, 3))])
    np.testing.assert_allclose(found.mean, everything.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(found.deviation, everything.std(axis=0), atol=1e-9)
    assert "side: 24 to 40 pixels, median 24" in str(found)


def test_statistics_of_a_layout_tell_what_is_missing(tmp_path):
    for number in range(9):
        write_face(tmp_path / "ffhq" / f"{number:05d}.png", number)
    text = str(source_statistics(folder_settings(tmp_path / "ffhq", layout="ffhq"), size=16))
    assert "holds 9 of the 70,000 images of FFHQ" in text
    assert "no ffhq-dataset-v2.json" in text


def test_statistics_pass_over_damaged_files(tmp_path):
    folder = write_folder(tmp_path / "faces")
    (folder / "0" / "000.png").write_bytes(b"nothing")
    assert source_statistics(folder_settings(folder), size=16).sides == (24, 24.0, 24)
