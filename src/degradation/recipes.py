"""Reading, checking, hashing and printing degradation recipes; imports neither OpenCV nor torch."""

import hashlib
import json
import math
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import yaml

from src.settings.degradation import BlurSettings, DegradationRecipe
from src.settings.errors import UserError

_LIMITS = [("downsample", 1.0, math.inf), ("noise", 0.0, 255.0), ("jpeg_quality", 1.0, 100.0)]
"""Lowest and highest legal value of each range."""
RECIPE_FOLDER = Path(__file__).resolve().parents[2] / "conf" / "degradation"


def recipe_names() -> list[str]:
    """Names of the recipes in conf/degradation, sorted."""
    return sorted(path.stem for path in RECIPE_FOLDER.glob("*.yaml"))


def load_recipe(name: str) -> DegradationRecipe:
    """The recipe of conf/degradation/<name>.yaml, checked.

    Raises UserError for an unknown name, a key that is unknown or missing, or a range that is not legal.
    """
    if name not in recipe_names():
        known = ", ".join(recipe_names())
        raise UserError(f"There is no degradation recipe {name!r} in conf/degradation; choose one of: {known}.")
    path = RECIPE_FOLDER / f"{name}.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML ({error}); correct the file.") from error
    return recipe_from_mapping(content, str(path))


def recipe_from_mapping(content: object, source: str) -> DegradationRecipe:
    """A checked recipe from plain data; `source` names it in messages. Raises UserError as `load_recipe` does."""
    values = _checked_keys(content, DegradationRecipe, source)
    if values["blur"] is not None:
        values["blur"] = _checked_keys(values["blur"], BlurSettings, f"{source}, key blur")
    problems = _value_problems(values)
    if problems:
        raise UserError(f"{source}: " + " ".join(problems))
    if values["blur"] is not None:
        values["blur"] = BlurSettings(**_floats(values["blur"]))
    return DegradationRecipe(**_floats(values))


def recipe_problems(recipe: DegradationRecipe) -> list[str]:
    """Sentences about values that are out of order or out of the legal range; empty when the recipe can be used."""
    return _value_problems(asdict(recipe))


def recipe_hash(recipe: DegradationRecipe) -> str:
    """First 12 hexadecimal digits of the SHA-256 of the recipe as canonical JSON (sorted keys, ranges as floats)."""
    values = asdict(recipe)
    values["blur"] = values["blur"] and _floats(values["blur"])
    text = json.dumps(_floats(values), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def recipe_table(recipe: DegradationRecipe) -> str:
    """The recipe as a plain-text table: one line a step, in the order applied, with range, unit and source."""
    head = ("step", "range", "unit", "source")
    rows = [head, *_table_rows(recipe)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    size = "the image at hand" if recipe.reference_size is None else f"{recipe.reference_size} px"
    title = f"{recipe.name} ({recipe_hash(recipe)}), sigma and factor refer to {size}, {_range_source(recipe)}"
    return "\n".join([title, lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _table_rows(recipe: DegradationRecipe) -> list[tuple[str, str, str, str]]:
    blur = recipe.blur
    rows = [
        ("blur sigma", _range_text(None if blur is None else blur.sigma), "px", "codeformer.md 3, step 3"),
        ("down-sampling factor", _range_text(recipe.downsample), "1", "codeformer.md 3, step 4"),
        ("noise std", _range_text(recipe.noise), "levels of 255", "codeformer.md 3, step 5"),
        ("JPEG quality", _range_text(recipe.jpeg_quality), "libjpeg quality", "codeformer.md 3, step 6"),
    ]
    if blur is not None:
        rows.insert(1, ("blur kernel", f"{blur.kernel_size} x {blur.kernel_size}", "taps", "codeformer.md 3, step 3"))
        rows.insert(2, ("isotropic", f"{blur.isotropic_probability:g}", "probability", "codeformer.md 3, step 3"))
    return rows


def _range_text(values: list[float] | None) -> str:
    return "left out" if values is None else f"[{values[0]:g}, {values[1]:g}]"


def _range_source(recipe: DegradationRecipe) -> str:
    if recipe.name in recipe_names() and recipe_hash(load_recipe(recipe.name)) == recipe_hash(recipe):
        return f"ranges of conf/degradation/{recipe.name}.yaml"
    return "ranges set by this run"


def _value_problems(values: dict[str, Any]) -> list[str]:
    """Works on plain data, because values of a wrong type cannot make a recipe."""
    problems = []
    name, reference_size = values["name"], values["reference_size"]
    if not isinstance(name, str) or not name:
        problems.append(f"name is {name!r}, expected text; give the recipe a name.")
    if reference_size is not None and not _is_whole(reference_size):
        problems.append(f"reference_size is {reference_size!r}, expected a whole number of at least 1 or null.")
    if values["blur"] is not None:
        problems += _blur_problems(values["blur"])
    for key, lowest, highest in _LIMITS:
        if values[key] is not None:
            problems += _range_problems(key, values[key], lowest, highest)
    return problems


def _blur_problems(blur: dict[str, Any]) -> list[str]:
    problems = []
    kernel_size, probability = blur["kernel_size"], blur["isotropic_probability"]
    if not _is_whole(kernel_size) or kernel_size % 2 == 0:
        problems.append(f"blur.kernel_size is {kernel_size!r}, expected an odd whole number of taps.")
    if not _is_number(probability) or not 0.0 <= probability <= 1.0:
        problems.append(f"blur.isotropic_probability is {probability!r}, expected a number between 0 and 1.")
    # A sigma of zero has no inverse covariance; a thousandth of a pixel already is the identity.
    return problems + _range_problems("blur.sigma", blur["sigma"], 0.001, math.inf)


def _range_problems(key: str, values: Any, lowest: float, highest: float) -> list[str]:
    if not isinstance(values, (list, tuple)) or len(values) != 2 or not all(_is_number(value) for value in values):
        return [f"{key} is {values!r}, expected two numbers [lowest, highest]."]
    low, high = values
    if low > high:
        return [f"{key} is [{low:g}, {high:g}], expected the lowest value first; swap the two."]
    if low < lowest or high > highest:
        limits = f"at least {lowest:g}" if highest == math.inf else f"between {lowest:g} and {highest:g}"
        return [f"{key} is [{low:g}, {high:g}], expected values of {limits}."]
    return []


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _checked_keys(content: object, settings: type, source: str) -> dict[str, Any]:
    known = [field.name for field in fields(settings)]
    if not isinstance(content, dict):
        raise UserError(f"{source} holds {content!r}, expected keys and values; give the keys {', '.join(known)}.")
    unknown = [str(key) for key in content if key not in known]
    if unknown:
        raise UserError(f"{source}: unknown key {', '.join(unknown)}; the known keys are {', '.join(known)}.")
    missing = [key for key in known if key not in content]
    if missing:
        raise UserError(f"{source}: key {', '.join(missing)} is missing; give it (null leaves a step out).")
    return dict(content)


def _floats(values: dict[str, Any]) -> dict[str, Any]:
    """Whole numbers in ranges as floats, as Hydra gives them, so that both ways to read a recipe agree."""
    converted = dict(values)
    for key, value in values.items():
        if isinstance(value, (list, tuple)):
            converted[key] = [float(item) if _is_number(item) else item for item in value]
    if _is_number(values.get("isotropic_probability")):
        converted["isotropic_probability"] = float(values["isotropic_probability"])
    return converted
