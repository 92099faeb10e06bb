"""The recipes of conf/degradation by name; imports neither OpenCV nor torch."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from src.degradation.chain import problems_of
from src.settings.degradation import DegradationRecipe
from src.settings.errors import UserError

RECIPE_FOLDER = Path(__file__).resolve().parents[2] / "conf" / "degradation"


def recipe_names() -> list[str]:
    """Names of the recipes in conf/degradation, sorted; pairs are left out."""
    return sorted(path.stem for path in RECIPE_FOLDER.glob("*.yaml") if path.stem not in joint_names())


def joint_names() -> list[str]:
    """Names of the pairs in conf/degradation, sorted."""
    return sorted(path.stem for path in RECIPE_FOLDER.glob("*_joint.yaml"))


def load_recipe(name: str) -> DegradationRecipe:
    """The recipe of conf/degradation/<name>.yaml, checked.

    Raises UserError for an unknown name, a key that is unknown or missing, or a value that is not legal.
    """
    if name not in recipe_names():
        known = ", ".join(recipe_names())
        raise UserError(f"There is no degradation recipe {name!r} in conf/degradation; choose one of: {known}.")
    path = RECIPE_FOLDER / f"{name}.yaml"
    return recipe_from_mapping(_content(path), str(path))


def load_joint(name: str) -> list[DegradationRecipe]:
    """The recipes that a pair is composed of: for image iterations, for code iterations.

    Raises UserError for an unknown name.
    """
    if name not in joint_names():
        raise UserError(f"There is no pair {name!r} in conf/degradation; choose one of: {', '.join(joint_names())}.")
    chosen = [next(iter(entry.values())) for entry in _content(RECIPE_FOLDER / f"{name}.yaml")["defaults"]]
    return [load_recipe(recipe) for recipe in chosen]


def recipe_from_mapping(content: object, source: str) -> DegradationRecipe:
    """A checked recipe from plain data; `source` names it in messages. Raises UserError as `load_recipe` does."""
    values = _checked_keys(content, source)
    problems = problems_of(values)
    if problems:
        raise UserError(f"{source}: " + " ".join(problems))
    return DegradationRecipe(**values)


def _content(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML ({error}); correct the file.") from error


def _checked_keys(content: object, source: str) -> dict[str, Any]:
    known = [field.name for field in fields(DegradationRecipe)]
    if not isinstance(content, dict):
        raise UserError(f"{source} holds {content!r}, expected keys and values; give the keys {', '.join(known)}.")
    unknown = [str(key) for key in content if key not in known]
    if unknown:
        raise UserError(f"{source}: unknown key {', '.join(unknown)}; the known keys are {', '.join(known)}.")
    missing = [key for key in known if key not in content]
    if missing:
        raise UserError(f"{source}: key {', '.join(missing)} is missing; give it.")
    return dict(content)
