import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from src.checkpoints.files import sha256_of
from src.data import frozen_benchmark
from src.data.benchmark import Benchmark, assemble
from src.data.frozen_benchmark import freeze, load_frozen
from src.degradation.chain import chain_of, plain_recipe, recipe_hash
from src.degradation.recipes import load_recipe
from src.degradation.severity import downscale_factors
from src.settings.errors import UserError

RECIPE = load_recipe("x8")
NAMES = ("people/anna", "people/bert.v2", "c")


def made(paired: bool = True, names: tuple[str, ...] = NAMES) -> Benchmark:
    """A benchmark of random pictures with points that floats do not hold exactly."""
    draws = np.random.default_rng(5)
    hq, lq = (draws.integers(0, 256, (len(names), 24, 24, 3), np.uint8) for _ in range(2))
    points = draws.uniform(0, 24, (len(names), 5, 2)).astype(np.float32)
    return assemble(
        name="rendered-test-24",
        split="test",
        seed=7,
        recipe=RECIPE.name,
        recipe_hash=recipe_hash(RECIPE),
        source="ab" * 32,
        hq=hq if paired else None,
        lq=lq,
        names=names,
        identities=[0, 0, 1][: len(names)],
        landmarks=list(points) if paired else [None] * len(names),
        notes=["a note"],
    )


def frozen(folder: Path, **options) -> Path:
    freeze(made(**options), folder / "b", recipe=asdict(RECIPE))
    return folder / "b"


@pytest.mark.parametrize("paired", [True, False])
def test_comes_back_as_it_was(tmp_path, paired):
    folder = frozen(tmp_path, paired=paired)
    assert list(tmp_path.iterdir()) == [folder]
    first, again = made(paired=paired), load_frozen(folder)
    assert (again.manifest(), again.hash, again.names) == (first.manifest(), first.hash, first.names)
    for name in ("hq", "lq", "identities", "landmarks"):
        one, other = getattr(first, name), getattr(again, name)
        assert (one is None) == (other is None) == (not paired and name in ("hq", "landmarks"))
        if one is not None:
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
            assert not other.flags.writeable
    assert again.factors is not None, "recipe and seed tell how far each face was shrunk"
    np.testing.assert_array_equal(again.factors, downscale_factors(chain_of(RECIPE), 7, 3, 24))
    freeze(again, tmp_path / "copy", recipe=asdict(RECIPE))
    assert (tmp_path / "copy" / "manifest.json").read_bytes() == (folder / "manifest.json").read_bytes()


def test_manifest_says_how_it_was_made_and_hashes_every_file(tmp_path):
    folder = frozen(tmp_path)
    content = json.loads((folder / "manifest.json").read_text())
    assert (content["recipe"], content["recipe_content"]) == ("x8", asdict(RECIPE))
    assert (content["count"], content["size"], content["seed"], content["split"]) == (3, 24, 7, "test")
    assert set(content["libraries"]) == {"python", "numpy", "opencv", "pillow", "numba", "torch"}
    hashes = {f"{side}/{face['name']}.png": face[side]["file"] for face in content["faces"] for side in ("hq", "lq")}
    present = {path.relative_to(folder).as_posix(): sha256_of(path) for path in folder.rglob("*.png")}
    assert present == hashes
    freeze(made(), tmp_path / "plain", recipe=plain_recipe(RECIPE))
    with pytest.raises(ValueError, match="not that of the benchmark"):
        freeze(made(), tmp_path / "other", recipe=asdict(load_recipe("x4")))


def test_every_difference_is_found_and_counted(tmp_path):
    whole = frozen(tmp_path)
    files = sorted(path.relative_to(whole) for path in whole.rglob("*.png"))
    for number, file in enumerate(files):
        folder = tmp_path / str(number)
        shutil.copytree(whole, folder)
        data = bytearray((folder / file).read_bytes())
        data[-20] ^= 1
        (folder / file).write_bytes(data)
        with pytest.raises(UserError, match=rf"1 of 6 files differ .*first {file}, which has other content"):
            load_frozen(folder)
    folder = tmp_path / "worse"
    shutil.copytree(whole, folder)
    (folder / "lq/people/anna.png").unlink()
    (folder / "lq/people/bert.v2.png").write_bytes(b"")
    (folder / "lq/people/new.png").write_bytes(b"")
    (folder / "lq/.DS_Store").write_bytes(b"")
    message = (
        r"3 of 7 files differ .* lq/people/anna.png, which is missing; restore .* recipe=x8 n=3 seed=7 size=24 split"
    )
    with pytest.raises(UserError, match=message):
        load_frozen(folder)


def test_a_picture_that_does_not_belong_is_named(tmp_path):
    folder = frozen(tmp_path, paired=False)
    (folder / "hq").mkdir()
    (folder / "hq" / "c.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"1 of 4 files differ .*first hq/c.png, which does not belong"):
        load_frozen(folder)


def test_damaged_manifests_are_refused(tmp_path):
    folder = frozen(tmp_path)
    path = folder / "manifest.json"
    text = path.read_text()
    content = json.loads(text)
    content["faces"][0]["landmarks"][0][0] += 0.5
    damaged = {
        text[: len(text) // 2]: "is damaged (it is no JSON text)",
        json.dumps(content): "is damaged (its content does not match its checksum)",
        text.replace('"identity": 1', '"identity": 2'): "is damaged (its content does not match its checksum)",
        json.dumps(content | {"version": 2}): "has version 2, this program reads version 1",
        "[]": "is not the manifest of a frozen benchmark",
    }
    for wrong, message in damaged.items():
        path.write_text(wrong)
        with pytest.raises(UserError) as caught:
            load_frozen(folder)
        assert message in str(caught.value)
    path.unlink()
    with pytest.raises(UserError, match=r"manifest.json: is missing"):
        load_frozen(folder)
    path.write_text(text)
    assert load_frozen(folder).hash == made().hash


def test_only_a_frozen_benchmark_is_replaced_and_only_when_asked(tmp_path):
    folder = frozen(tmp_path)
    with pytest.raises(UserError, match=r"b: exists; .*overwrite=true"):
        freeze(made(), folder)
    freeze(made(names=("one",)), folder, overwrite=True)
    assert load_frozen(folder).names == ("one",)
    holiday = tmp_path / "holiday"
    holiday.mkdir()
    (holiday / "photo.jpg").write_bytes(b"x")
    with pytest.raises(UserError, match="no frozen benchmark"):
        freeze(made(), holiday, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "holiday"]


def test_a_failure_leaves_the_old_benchmark_and_nothing_else(tmp_path, monkeypatch):
    folder = frozen(tmp_path)

    def full(path: Path, image: np.ndarray) -> dict[str, str]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(frozen_benchmark, "_write_picture", full)
    with pytest.raises(UserError, match="No space left on device"):
        freeze(made(names=("one",)), folder, overwrite=True)
    assert list(tmp_path.iterdir()) == [folder]
    assert load_frozen(folder).hash == made().hash


@pytest.mark.parametrize("name", ["../x", "/x", "a//b", "a/../b", "a\\b", "", "a/", "."])
def test_names_that_lead_elsewhere_are_refused(tmp_path, name):
    with pytest.raises(UserError, match="cannot name a file"):
        freeze(made(names=(name,)), tmp_path / "b")
    assert list(tmp_path.iterdir()) == []
