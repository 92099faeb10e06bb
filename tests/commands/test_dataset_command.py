import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.data.image_file import read_rgb
from src.dataset import preview, stats
from src.degradation.engine import degrade
from src.settings.commands import PreviewConfig
from src.settings.data import FolderSettings, SyntheticFacesSettings
from src.settings.errors import UserError


@pytest.fixture
def folder(tmp_path) -> FolderSettings:
    (tmp_path / "faces").mkdir()
    for number in range(10):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "faces" / f"{number}.png")
    return FolderSettings(
        kind="folder",
        flip_probability=0.5,
        root=str(tmp_path / "faces"),
        table=None,
        validation_fraction=0.2,
        test_fraction=0.3,
        split_seed=0,
    )


def config(data, output: Path, **changes) -> PreviewConfig:
    values = {
        "action": "preview",
        "count": 2,
        "seed": 5,
        "size": 32,
        "split": "test",
        "overwrite": False,
        "degradations": ["codeformer_small", "codeformer_large"],
    }
    return PreviewConfig(output=str(output), data=data, **(values | changes))


def _contains(grid: np.ndarray, tile: np.ndarray) -> bool:
    side = tile.shape[0]
    corners = np.argwhere((grid[: -side + 1, : -side + 1] == tile[0, 0]).all(axis=2))
    return any((grid[y : y + side, x : x + side] == tile).all() for y, x in corners)


def test_the_sheet_shows_faces_and_their_degradations(folder, tmp_path):
    text = preview(config(folder, tmp_path / "sheet.png"))
    assert "codeformer_small" in text
    assert "2 faces of the test split" in text
    sheet = read_rgb(tmp_path / "sheet.png")
    shown = sorted(Path(folder.root).iterdir())
    pixels = [read_rgb(path) for path in shown]
    on_sheet = [face for face in pixels if _contains(sheet, face)]
    assert len(on_sheet) == 2
    for index, face in enumerate(on_sheet):
        for recipe in ("codeformer_small", "codeformer_large"):
            assert _contains(sheet, degrade(face, recipe, seed=5, index=index))


def test_an_existing_sheet_is_kept_unless_told_otherwise(folder, tmp_path):
    (tmp_path / "sheet.png").write_text("precious")
    with pytest.raises(UserError, match=r"sheet\.png exists; give another name or overwrite=true"):
        preview(config(folder, tmp_path / "sheet.png"))
    assert (tmp_path / "sheet.png").read_text() == "precious"
    preview(config(folder, tmp_path / "sheet.png", overwrite=True))
    assert read_rgb(tmp_path / "sheet.png").ndim == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"degradations": ["codeformer_huge"]}, "codeformer_huge"),
        ({"count": 0}, "count: 0 must be 1 or more"),
        ({"seed": -1}, "seed: -1 must lie in"),
        ({"split": "dev"}, "split: 'dev' is not one of"),
        ({"size": 0}, "size: 0 must be 1 or more"),
    ],
)
def test_wrong_settings_are_named(folder, tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        preview(config(folder, tmp_path / "sheet.png", **changes))
    with pytest.raises(UserError, match=r"sheet\.jpg must end in \.png"):
        preview(config(folder, tmp_path / "sheet.jpg"))


def test_stats_count_images_and_identities(folder, tmp_path):
    rows = [line.split() for line in stats(config(folder, tmp_path / "unused")).splitlines()]
    assert rows == [
        ["split", "images", "identities"],
        ["train", "5", "5"],
        ["validation", "2", "2"],
        ["test", "3", "3"],
    ]
    rendered = SyntheticFacesSettings(
        kind="synthetic_faces",
        flip_probability=0.5,
        seed=0,
        identities=300,
        images_per_identity=8,
        validation_identities=16,
        test_identities=64,
    )
    text = stats(config(rendered, tmp_path / "unused"))
    assert [line.split()[1:] for line in text.splitlines()[1:]] == [["1,760", "220"], ["128", "16"], ["512", "64"]]


def command(root: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "src.dataset", *overrides]
    return subprocess.run(line, cwd=root, capture_output=True, text=True, timeout=120)


def test_the_command_takes_a_folder_and_tells_mistakes(folder, tmp_path, root):
    data = ["data=folder", f"data.root={folder.root}"]
    done = command(root, *data, f"output={tmp_path / 'sheet.png'}", "size=32", "count=3", "degradations=[identity]")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "sheet.png").is_file()
    for overrides, status, message in (
        (["data=folder"], 2, "error: data.root: not given"),
        ([*data, "action=show"], 2, "error: action: 'show' is not one of preview, stats"),
        ([*data, "data.rot=1"], 1, "rot"),
        ([*data, "size=big"], 1, "could not be converted to Integer"),
        (["data=folder", "data.root=nowhere"], 2, "error: data.root: the folder nowhere does not exist"),
    ):
        done = command(root, *overrides)
        assert (done.returncode, message in done.stderr) == (status, True), done.stderr
        assert "Traceback" not in done.stderr
