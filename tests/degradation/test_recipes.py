"""Recipe files: contents, hashes, tables and refusals."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from src.degradation.recipes import (
    RECIPE_FOLDER,
    load_recipe,
    recipe_from_mapping,
    recipe_hash,
    recipe_names,
    recipe_problems,
    recipe_table,
)
from src.settings.degradation import BlurSettings, DegradationRecipe
from src.settings.errors import UserError

PUBLISHED: dict[str, tuple[list[float], list[float], list[float], list[float], str]] = {
    "codeformer_small": ([0.1, 10.0], [1.0, 12.0], [0.0, 15.0], [60.0, 100.0], "dd898ac7c33d"),
    "codeformer_large": ([1.0, 15.0], [4.0, 30.0], [0.0, 20.0], [30.0, 80.0], "a82b7e470771"),
}


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_published_ranges_and_hash(name: str) -> None:
    recipe = load_recipe(name)
    sigma, factor, noise, quality, digest = PUBLISHED[name]
    blur = BlurSettings(kernel_size=41, isotropic_probability=0.5, sigma=sigma)
    assert recipe == DegradationRecipe(
        name=name, reference_size=512, blur=blur, downsample=factor, noise=noise, jpeg_quality=quality
    )
    assert recipe_hash(recipe) == digest


@pytest.mark.parametrize("name", recipe_names())
def test_every_file_is_a_legal_typed_group_option(name: str) -> None:
    merged = OmegaConf.merge(OmegaConf.structured(DegradationRecipe), OmegaConf.load(RECIPE_FOLDER / f"{name}.yaml"))
    recipe = OmegaConf.to_object(merged)
    assert isinstance(recipe, DegradationRecipe)
    assert recipe == load_recipe(name)
    assert recipe.name == name
    assert recipe_hash(recipe) == recipe_hash(load_recipe(name))
    assert recipe_problems(recipe) == []


def test_hash_depends_on_values_and_not_on_how_numbers_are_written() -> None:
    recipe = recipe_from_mapping(plain(), "recipe.yaml")
    written_as_floats = recipe_from_mapping(plain(downsample=[4.0, 30.0], blur__sigma=[1.0, 15.0]), "recipe.yaml")
    assert recipe_hash(recipe) == recipe_hash(written_as_floats)
    others = [replace(recipe, noise=[0.0, 14.0]), replace(recipe, noise=None), replace(recipe, reference_size=None)]
    assert len({recipe_hash(other) for other in [recipe, *others]}) == 4


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'codeformer_medium'.*codeformer_large, codeformer_small"):
        load_recipe("codeformer_medium")
    with pytest.raises(UserError, match="no degradation recipe"):
        load_recipe("../degradation/identity")


def plain(**changes: Any) -> dict[str, Any]:
    """codeformer_large as plain data with some keys changed; blur keys are written blur__key."""
    blur: dict[str, Any] = {"kernel_size": 41, "isotropic_probability": 0.5, "sigma": [1, 15]}
    content: dict[str, Any] = {
        "name": "test",
        "reference_size": 512,
        "blur": blur,
        "downsample": [4, 30],
        "noise": [0, 20],
        "jpeg_quality": [30, 80],
    }
    for key, value in changes.items():
        (blur if key.startswith("blur__") else content)[key.removeprefix("blur__")] = value
    return content


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noises": [0, 1]}, "unknown key noises; the known keys are name, reference_size, blur"),
        ({"blur__sigmas": [0, 1]}, "key blur: unknown key sigmas; the known keys are kernel_size"),
        ({"blur": 3}, "key blur holds 3, expected keys and values"),
        ({"name": ""}, "name is ''"),
        ({"reference_size": 0}, "reference_size is 0"),
        ({"reference_size": 512.5}, "reference_size is 512.5"),
        ({"blur__kernel_size": 40}, "blur.kernel_size is 40, expected an odd"),
        ({"blur__isotropic_probability": 1.5}, "blur.isotropic_probability is 1.5"),
        ({"blur__sigma": [0, 15]}, r"blur.sigma is \[0, 15\], expected values of at least 0.001"),
        ({"blur__sigma": [15, 1]}, r"blur.sigma is \[15, 1\], expected the lowest value first"),
        ({"downsample": [0.5, 4]}, r"downsample is \[0.5, 4\], expected values of at least 1"),
        ({"downsample": 4}, "downsample is 4, expected two numbers"),
        ({"noise": [-1, 4]}, r"noise is \[-1, 4\], expected values of between 0 and 255"),
        ({"noise": [0, float("nan")]}, "expected two numbers"),
        ({"noise": [0, "much"]}, "expected two numbers"),
        ({"jpeg_quality": [0, 80]}, r"jpeg_quality is \[0, 80\], expected values of between 1 and 100"),
        ({"jpeg_quality": [30, 80, 90]}, "expected two numbers"),
    ],
)
def test_bad_values_are_refused_with_a_sentence(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f"recipe.yaml.*{message}"):
        recipe_from_mapping(plain(**changes), "recipe.yaml")


def test_a_missing_key_and_an_empty_file_are_refused() -> None:
    content = plain()
    del content["noise"]
    with pytest.raises(UserError, match="key noise is missing"):
        recipe_from_mapping(content, "recipe.yaml")
    with pytest.raises(UserError, match="holds None"):
        recipe_from_mapping(None, "recipe.yaml")


def test_a_file_that_is_not_yaml_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.yaml").write_text("noise: [0, 1")
    monkeypatch.setattr("src.degradation.recipes.RECIPE_FOLDER", tmp_path)
    with pytest.raises(UserError, match=r"broken\.yaml is not valid YAML"):
        load_recipe("broken")


def test_several_problems_are_all_told() -> None:
    recipe = replace(load_recipe("codeformer_small"), noise=[3.0, 2.0], jpeg_quality=[60.0, 101.0])
    assert [problem.split(" is ")[0] for problem in recipe_problems(recipe)] == ["noise", "jpeg_quality"]


def test_table_tells_every_step_in_order_and_whether_the_file_was_changed() -> None:
    recipe = load_recipe("codeformer_large")
    title, _, _, *rows = recipe_table(recipe).splitlines()
    assert title.startswith(f"codeformer_large ({recipe_hash(recipe)})")
    assert "512 px" in title
    assert title.endswith("conf/degradation/codeformer_large.yaml")
    steps = [row.split("  ")[0] for row in rows]
    assert steps == ["blur sigma", "blur kernel", "isotropic", "down-sampling factor", "noise std", "JPEG quality"]
    assert "[4, 30]" in rows[3]
    changed = recipe_table(replace(recipe, noise=None))
    assert "ranges set by this run" in changed
    assert "left out" in changed


def test_reading_a_recipe_costs_neither_opencv_nor_torch(root: Path) -> None:
    script = (
        "import sys; from src.degradation.recipes import load_recipe; load_recipe('identity');"
        "sys.exit(any(name in sys.modules for name in ('cv2', 'torch', 'numpy')))"
    )
    subprocess.run([sys.executable, "-c", script], cwd=root, check=True)
