"""Recipe files: contents, hashes, tables and refusals."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from src.config.compose import compose_train
from src.degradation.chain import plain_recipe, recipe_hash, recipe_problems
from src.degradation.recipe_table import recipe_table
from src.degradation.recipes import RECIPE_FOLDER, load_joint, load_recipe, recipe_from_mapping, recipe_names
from src.settings.degradation import DegradationRecipe
from src.settings.errors import UserError

PUBLISHED: dict[str, tuple[list[float], list[float], list[float], list[float]]] = {
    "codeformer_small": ([0.1, 10.0], [1.0, 12.0], [0.0, 15.0], [60.0, 100.0]),
    "codeformer_large": ([1.0, 15.0], [4.0, 30.0], [0.0, 20.0], [30.0, 80.0]),
    "gfpgan": ([0.1, 10.0], [0.8, 8.0], [0.0, 20.0], [60.0, 100.0]),
    "difface": ([0.1, 15.0], [0.8, 32.0], [0.0, 20.0], [30.0, 100.0]),
}


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_published_ranges(name: str) -> None:
    plain = plain_recipe(load_recipe(name))
    sigma, factor, noise, quality = PUBLISHED[name]
    assert plain["reference_size"] == 512
    assert list(plain["steps"].items())[:5] == [
        ("blur", {"kernel_size": [41.0, 41.0], "kernels": {"isotropic": 0.5, "anisotropic": 0.5}, "sigma": sigma}),
        ("downsample", {"factor": factor}),
        ("gaussian_noise", {"std": noise}),
        ("jpeg", {"quality": quality}),
        ("resize_back", {}),
    ]


def test_a_joint_recipe_is_the_pair_that_stage_three_takes() -> None:
    small, large = load_joint("codeformer_joint")
    cft = compose_train(["degradation@cft=codeformer_joint"]).cft
    assert recipe_hash(cft.small_degradation) == recipe_hash(small) == recipe_hash(load_recipe("codeformer_small"))
    assert recipe_hash(cft.large_degradation) == recipe_hash(large) == recipe_hash(load_recipe("codeformer_large"))
    with pytest.raises(UserError, match=r"no pair 'codeformer_large'.*choose one of: codeformer_joint"):
        load_joint("codeformer_large")


@pytest.mark.parametrize("name", recipe_names())
def test_every_file_is_a_legal_typed_group_option(name: str) -> None:
    merged = OmegaConf.merge(OmegaConf.structured(DegradationRecipe), OmegaConf.load(RECIPE_FOLDER / f"{name}.yaml"))
    recipe = OmegaConf.to_object(merged)
    assert isinstance(recipe, DegradationRecipe)
    assert plain_recipe(recipe) == plain_recipe(load_recipe(name))
    assert recipe.name == name
    assert recipe_hash(recipe) == recipe_hash(load_recipe(name))
    assert recipe_problems(recipe) == []


def test_hash_depends_on_values_and_not_on_how_they_are_written() -> None:
    recipe = recipe_from_mapping(plain(), "recipe.yaml")
    for same in (
        plain(downsample__factor=[4.0, 30.0], blur__sigma=[1.0, 15.0]),
        plain(blur__kernel_size=[41, 41], jpeg__probability=1),
        plain(blur__kernels={"anisotropic": 3, "isotropic": 3}, resize_back={"interpolation": "bilinear"}),
    ):
        assert recipe_hash(recipe) == recipe_hash(recipe_from_mapping(same, "recipe.yaml"))
    steps = dict(recipe.steps)
    turned = {name: steps[name] for name in ("downsample", "blur", "gaussian_noise", "jpeg", "resize_back")}
    others = [
        replace(recipe, steps=steps | {"gaussian_noise": {"std": [0, 14]}}),
        replace(recipe, steps=steps | {"gaussian_noise": None}),
        replace(recipe, steps=turned),
        replace(recipe, reference_size=None),
    ]
    assert len({recipe_hash(other) for other in [recipe, *others]}) == 5


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'codeformer_medium'.*codeformer_large, codeformer_small"):
        load_recipe("codeformer_medium")
    with pytest.raises(UserError, match="no degradation recipe"):
        load_recipe("../degradation/identity")


def plain(**changes: Any) -> dict[str, Any]:
    """codeformer_large as plain data with keys or steps changed; parameters are written step__parameter."""
    steps: dict[str, Any] = {
        "blur": {"kernel_size": 41, "kernels": {"isotropic": 0.5, "anisotropic": 0.5}, "sigma": [1, 15]},
        "downsample": {"factor": [4, 30]},
        "gaussian_noise": {"std": [0, 20]},
        "jpeg": {"quality": [30, 80]},
        "resize_back": {},
    }
    content: dict[str, Any] = {"name": "test", "reference_size": 512, "steps": steps}
    for key, value in changes.items():
        step, _, parameter = key.partition("__")
        if parameter:
            steps[step][parameter] = value
        elif step in content or step == "unknown":
            content[step] = value
        else:
            steps[step] = value
    return content


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unknown": 3}, "unknown key unknown; the known keys are name, reference_size, steps"),
        ({"steps": [1]}, r"steps is \[1\], expected operations with their parameters"),
        ({"name": ""}, "name is ''"),
        ({"reference_size": 0}, "reference_size is 0"),
        ({"reference_size": 512.5}, "reference_size is 512.5"),
        ({"sharpen": {}}, "steps.sharpen is no known operation; choose among blur, downsample, rescale"),
        ({"blurr_2": {}}, "steps.blurr_2 is no known operation"),
        ({"blur": 3}, "steps.blur is 3, expected parameters among kernel_size, kernels, sigma"),
        ({"blur__sigmas": [0, 1]}, "steps.blur.sigmas is no parameter of blur; it has kernel_size, kernels, sigma"),
        ({"jpeg": {}}, "steps.jpeg.quality is missing; give it"),
        (
            {"blur": {"kernel_size": 41, "kernels": "isotropic"}},
            "steps.blur.sigma is missing; isotropic kernels need it",
        ),
        ({"blur__kernel_size": 40}, r"steps.blur.kernel_size is 40, expected odd whole numbers within \[1, 127\]"),
        ({"blur__kernel_size": [7.5, 9]}, "expected odd whole numbers"),
        ({"blur__kernels": "round"}, "steps.blur.kernels is 'round', expected one of, or weights of, isotropic"),
        ({"blur__kernels": {"isotropic": -1}}, "expected weights of 0 or more that are not all 0"),
        ({"blur__kernels": {"isotropic": 0}}, "expected weights of 0 or more that are not all 0"),
        ({"blur__sigma": [0, 15]}, r"steps.blur.sigma is \[0, 15\], expected values within \[0.001, any\]"),
        ({"blur__sigma": [15, 1]}, r"steps.blur.sigma is \[15, 1\], expected the lowest value first; swap the two"),
        ({"downsample__factor": [0.01, 4]}, r"expected values within \[0.1, 512\]"),
        ({"downsample__factor": "much"}, r"expected two numbers \[lowest, highest\] within \[0.1, 512\]"),
        ({"gaussian_noise__std": [-1, 4]}, r"steps.gaussian_noise.std is \[-1, 4\], expected values within \[0, 255\]"),
        ({"gaussian_noise__std": [0, float("nan")]}, "expected two numbers"),
        ({"gaussian_noise__probability": 1.5}, "probability is 1.5, expected a number between 0 and 1"),
        ({"jpeg__quality": [0, 80]}, r"steps.jpeg.quality is \[0, 80\], expected values within \[1, 100\]"),
        ({"jpeg__quality": [30, 80, 90]}, "expected two numbers"),
        ({"jpeg__quality": True}, "expected two numbers"),
        ({"grey": {"of_target": 1}}, "steps.grey.of_target is 1, expected true or false"),
        ({"resize_back": None}, "steps.downsample is not followed by resize_back"),
        (
            {"rescale": {"scale": [0.5, 2], "enlarge": 0.6, "reduce": 0.6, "interpolation": "area"}},
            "steps.rescale.enlarge and .reduce sum to 1.2, expected at most 1",
        ),
    ],
)
def test_bad_values_are_refused_with_a_sentence(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f"recipe.yaml.*{message}"):
        recipe_from_mapping(plain(**changes), "recipe.yaml")


def test_a_missing_key_and_an_empty_file_are_refused() -> None:
    content = plain()
    del content["steps"]
    with pytest.raises(UserError, match="key steps is missing"):
        recipe_from_mapping(content, "recipe.yaml")
    with pytest.raises(UserError, match="holds None"):
        recipe_from_mapping(None, "recipe.yaml")


def test_a_file_that_is_not_yaml_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.yaml").write_text("steps: [0, 1")
    monkeypatch.setattr("src.degradation.recipes.RECIPE_FOLDER", tmp_path)
    with pytest.raises(UserError, match=r"broken\.yaml is not valid YAML"):
        load_recipe("broken")


def test_several_problems_are_all_told() -> None:
    steps = load_recipe("codeformer_small").steps | {"gaussian_noise": {"std": [3, 2]}, "jpeg": {"quality": [60, 101]}}
    problems = recipe_problems(replace(load_recipe("codeformer_small"), steps=steps))
    assert [problem.split(" is ")[0] for problem in problems] == ["steps.gaussian_noise.std", "steps.jpeg.quality"]


def test_table_tells_every_step_in_order_and_whether_the_file_was_changed() -> None:
    recipe = load_recipe("codeformer_large")
    title, _, _, *rows = recipe_table(recipe).splitlines()
    assert title.startswith(f"codeformer_large ({recipe_hash(recipe)})")
    assert "512 px" in title
    assert title.endswith("conf/degradation/codeformer_large.yaml")
    steps = [row.split(" ")[0] for row in rows if not row.startswith(" ")]
    assert steps == list(recipe.steps)
    row = next(row for row in rows if row.startswith("downsample"))
    assert all(part in row for part in ("factor", "[4, 30]", "codeformer.md 3, step 4"))
    assert not any("beta" in row or "cutoff" in row for row in rows)  # no kernel of this recipe uses them
    changed = recipe_table(replace(recipe, steps=recipe.steps | {"gaussian_noise": None}))
    assert "ranges set by this run" in changed
    assert "left out" in changed


@pytest.mark.parametrize("name", recipe_names())
def test_every_parameter_of_a_table_has_unit_and_source(name: str) -> None:
    _, _, rule, *rows = recipe_table(load_recipe(name)).splitlines()
    ends = [match.span() for match in re.finditer("-+", rule)]
    for row in rows:
        _, parameter, value, unit, source = (row[start:end].strip() for start, end in ends)
        assert value
        assert not parameter or (unit and source)


def test_reading_a_recipe_costs_neither_opencv_nor_torch(root: Path) -> None:
    script = (
        "import sys; from src.degradation.recipes import load_recipe; load_recipe('identity');"
        "sys.exit(any(name in sys.modules for name in ('cv2', 'torch', 'numpy')))"
    )
    subprocess.run([sys.executable, "-c", script], cwd=root, check=True)
