"""`python -m src.dataset`: previews, counts, packs, checks and freezes; mistakes are one sentence."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image

from src.config.compose import CONFIG_DIR
from src.config.schema import register
from src.data import build_source
from src.data.frozen_benchmark import load_frozen
from src.data.image_file import read_rgb
from src.dataset import ACTIONS, spelled_out
from src.degradation.engine import degrade
from src.settings.commands import DatasetConfig
from src.settings.errors import UserError


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    folder = tmp_path / "faces"
    folder.mkdir()
    for number in range(10):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def settings(*words: str) -> DatasetConfig:
    """The configuration that the command would use."""
    register()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        composed = compose("dataset", overrides=spelled_out(words))
    found = OmegaConf.to_object(composed)
    assert isinstance(found, DatasetConfig)
    return found


def run(*words: str) -> str:
    config = settings(*words)
    return ACTIONS[config.action](config)


def splits(faces: Path) -> list[str]:
    return [f"source={faces}", "data.validation_fraction=0.2", "data.test_fraction=0.3", "size=32"]


def _contains(grid: np.ndarray, tile: np.ndarray) -> bool:
    side = tile.shape[0]
    corners = np.argwhere((grid[: -side + 1, : -side + 1] == tile[0, 0]).all(axis=2))
    return any(np.array_equal(grid[y : y + side, x : x + side], tile) for y, x in corners)


def test_a_preview_shows_faces_beside_what_the_recipes_make_of_them(faces: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    recipes = ["codeformer_small", "codeformer_large", "x32"]
    text = run("preview", *splits(faces), f"output={sheet}", "recipes=[codeformer_joint,x32]", "n=2", "seed=5")
    assert [line.split(" ")[0] for line in text.splitlines() if "lengths and factors" in line] == recipes
    grid = read_rgb(sheet)
    source = build_source(settings("preview", *splits(faces)).data, split="test", size=32, cache=None)
    for index in range(2):
        face = source.image(index)
        assert _contains(grid, face)
        assert all(_contains(grid, degrade(face, recipe, seed=5, index=index)) for recipe in recipes)
    assert not _contains(grid, source.image(2))


def test_an_existing_sheet_is_kept_unless_told_otherwise(faces: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    sheet.write_text("precious")
    with pytest.raises(UserError, match=r"sheet\.png exists; give another name or overwrite=true"):
        run("preview", *splits(faces), f"output={sheet}")
    assert sheet.read_text() == "precious"
    run("preview", *splits(faces), f"output={sheet}", "overwrite=true", "n=1")
    assert read_rgb(sheet).ndim == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["recipes=[codeformer_huge]"], "codeformer_huge"),
        (["n=0"], "n: 0 must be 1 or more"),
        (["seed=-1"], "seed: -1 must lie in"),
        (["split=dev"], "split: 'dev' is not one of"),
        (["size=0"], "size: 0 must be 1 or more"),
        (["output=sheet.jpg"], r"sheet\.jpg must end in \.png"),
    ],
)
def test_wrong_settings_are_named(faces: Path, tmp_path: Path, words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        run("preview", *splits(faces), f"output={tmp_path / 'sheet.png'}", *words)


def test_stats_count_images_and_identities(faces: Path) -> None:
    rows = [line.split()[:3] for line in run("stats", *splits(faces)).splitlines()[:4]]
    assert rows == [
        ["split", "images", "identities"],
        ["train", "5", "5"],
        ["validation", "2", "2"],
        ["test", "3", "3"],
    ]


def test_a_benchmark_is_frozen_checked_and_refused_when_a_file_changes(faces: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bench"
    text = run("benchmark", *splits(faces), "recipe=x16", "n=2", "seed=7", f"output={folder}")
    frozen = load_frozen(folder)
    assert frozen.hash in text
    assert (len(frozen), frozen.recipe, frozen.seed, frozen.split) == (2, "x16", 7, "test")
    np.testing.assert_array_equal(frozen.lq[1], degrade(frozen.clean_faces()[1], "x16", seed=7, index=1))
    assert "2 faces of 32 px, every file as written" in run("validate", f"source={folder}")
    with pytest.raises(UserError, match="bench"):
        run("benchmark", *splits(faces), f"output={folder}")
    picture = sorted((folder / "lq").glob("*.png"))[0]
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(picture)
    with pytest.raises(UserError, match=picture.name):
        run("validate", f"source={folder}")


def test_packed_faces_are_the_faces(faces: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert "10 faces of 32 px" in run("pack", *splits(faces), f"output={store}")
    for split in ("train", "validation", "test"):
        given = build_source(settings("stats", *splits(faces)).data, split=split, size=32, cache=None)
        packed = build_source(settings("stats", f"source={store}").data, split=split, size=32, cache=None)
        assert [packed.name(i) for i in range(len(packed))] == [given.name(i) for i in range(len(given))]
        assert packed.identities == given.identities
        for index in range(len(given)):
            np.testing.assert_array_equal(packed.image(index), given.image(index))
    assert "10 faces of 32 px, every one as packed" in run("validate", f"source={store}")


def test_short_spellings(tmp_path: Path) -> None:
    assert spelled_out(["pack", "source=synthetic_faces", "n=3"]) == ["action=pack", "data=synthetic_faces", "n=3"]
    assert spelled_out([f"source={tmp_path}"]) == ["data=folder", f"data.root={tmp_path}"]
    assert spelled_out(["recipe=x4", "recipe.steps.jpeg=null"]) == ["degradation@recipe=x4", "recipe.steps.jpeg=null"]
    assert spelled_out(["--help"]) == ["--help"]


def command(python: str, root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    line = [python, "-m", "src.dataset", *words]
    return subprocess.run(line, cwd=root, capture_output=True, text=True, timeout=120)


def test_the_command_takes_short_spellings_and_tells_mistakes(
    faces: Path, tmp_path: Path, root: Path, forked_python: str
) -> None:
    sheet = tmp_path / "sheet.png"
    done = command(
        forked_python, root, "preview", f"source={faces}", f"output={sheet}", "size=32", "n=3", "recipes=[identity]"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sheet.is_file()
    for words, status, message in (
        (["data=folder"], 2, "error: data.root: not given"),
        (["show"], 2, "error: action: 'show' is not one of preview, stats, pack, validate, benchmark"),
        (["stats", f"source={faces}", "data.rot=1"], 1, "rot"),
        (["preview", "size=big"], 1, "could not be converted to Integer"),
        (["stats", "source=nowhere"], 2, "error: data.root: the folder nowhere does not exist"),
        (["benchmark"], 2, "error: output: not given; write output=<folder of the benchmark>"),
        (
            ["benchmark", f"output={tmp_path / 'b'}", "recipe.steps.jpeg.quality=[90,10]"],
            2,
            "steps.jpeg.quality is [90, 10]",
        ),
        (
            ["preview", "recipe.steps.blur.sigma=[3,1]"],
            2,
            "error: recipe: steps.blur.sigma is [3, 1], expected the lowest",
        ),
        (["benchmark", "recipe=codeformer_medium"], 1, "codeformer_medium"),
    ):
        failed = command(forked_python, root, *words)
        assert failed.returncode == status, words
        assert message in failed.stderr, words
        assert "Traceback" not in failed.stderr
