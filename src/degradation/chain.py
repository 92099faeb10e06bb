"""A recipe as checked operations: what the engines work through. Imports neither OpenCV nor torch."""

import hashlib
import json
import re
from dataclasses import MISSING, dataclass, fields
from typing import Any

from src.degradation.operations import OPERATIONS, Blur, Downsample, Grey, Operation, Rescale, ResizeBack
from src.degradation.parameters import Kind
from src.settings.degradation import DegradationRecipe
from src.settings.errors import UserError


@dataclass(frozen=True)
class Step:
    """One place in a chain; a place without operation is left out, and keeps the random numbers of the others in place."""

    name: str
    operation: Operation | None


@dataclass(frozen=True)
class Chain:
    """A checked recipe; hashable, so that what is derived from it can be kept."""

    name: str
    reference_size: int | None
    steps: tuple[Step, ...]
    hash: str
    """First 12 hexadecimal digits of the SHA-256 of `plain_recipe`."""

    @property
    def changes_target(self) -> bool:
        """Whether the clean image may change too."""
        return any(isinstance(step.operation, Grey) and step.operation.of_target for step in self.steps)


def chain_of(recipe: DegradationRecipe, source: str = "degradation") -> Chain:
    """The recipe's operations, checked; `source` names it in messages.

    Raises:
        UserError: `recipe_problems` finds one.
    """
    problems = recipe_problems(recipe)
    if problems:
        raise UserError(f"{source}: " + " ".join(problems))
    steps = _steps(recipe.steps)
    return Chain(recipe.name, recipe.reference_size, steps, _hash(recipe, steps))


def recipe_problems(recipe: DegradationRecipe) -> list[str]:
    """Sentences about what is unknown, missing, out of order or out of the legal range; empty if the recipe can be used."""
    return problems_of(vars(recipe))


def problems_of(recipe: dict[str, Any]) -> list[str]:
    """`recipe_problems` of plain data, because values of a wrong type cannot make a recipe."""
    problems = []
    name, size, steps = recipe["name"], recipe["reference_size"], recipe["steps"]
    if not isinstance(name, str) or not name:
        problems.append(f"name is {name!r}, expected text; give the recipe a name.")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
        problems.append(f"reference_size is {size!r}, expected a whole number of at least 1 or null.")
    if not isinstance(steps, dict):
        return [*problems, f"steps is {steps!r}, expected operations with their parameters."]
    found = [problem for key, content in steps.items() for problem in _step_problems(str(key), content)]
    return problems + (found or _order_problems(_steps(steps)))


def plain_recipe(recipe: DegradationRecipe) -> dict[str, Any]:
    """The recipe as plain data in one spelling: numbers as floats, ranges in full, values that are defaults left out.

    Raises:
        UserError: as `chain_of`.
    """
    chain_of(recipe)
    return _plain(recipe, _steps(recipe.steps))


def recipe_hash(recipe: DegradationRecipe) -> str:
    """First 12 hexadecimal digits of the SHA-256 of `plain_recipe`; it does not depend on how numbers are written."""
    return chain_of(recipe).hash


def parameters_of(operation: Operation) -> list[tuple[str, Kind, Any]]:
    """Name, kind and value of every parameter, in the order declared."""
    return [(field.name, field.metadata["kind"], getattr(operation, field.name)) for field in fields(operation)]


def operation_of(name: str) -> str | None:
    """The operation that a step's name stands for (`blur_2` is a blur); None if there is none."""
    plain = re.sub(r"_\d+$", "", name)
    return plain if plain in OPERATIONS else None


def _steps(steps: dict[str, Any]) -> tuple[Step, ...]:
    return tuple(Step(name, _read(name, content)) for name, content in steps.items())


def _read(name: str, content: dict[str, Any] | None) -> Operation | None:
    if content is None:
        return None
    kind = OPERATIONS[operation_of(name) or ""]
    kinds = {field.name: field.metadata["kind"] for field in fields(kind)}
    return kind(**{key: kinds[key].read(value) for key, value in content.items()})


def _step_problems(name: str, content: Any) -> list[str]:
    operation = operation_of(name)
    if operation is None:
        return [f"steps.{name} is no known operation; choose among {', '.join(OPERATIONS)}."]
    if content is None:
        return []
    declared = {field.name: field for field in fields(OPERATIONS[operation])}
    if not isinstance(content, dict):
        return [f"steps.{name} is {content!r}, expected parameters among {', '.join(declared)}, or null."]
    problems = [
        f"steps.{name}.{key} is no parameter of {operation}; it has {', '.join(declared)}."
        for key in content
        if key not in declared
    ]
    needed = [key for key, field in declared.items() if field.default is MISSING and key not in content]
    problems += [f"steps.{name}.{key} is missing; give it." for key in needed]
    for key in declared.keys() & content.keys():
        try:
            declared[key].metadata["kind"].read(content[key])
        except ValueError as error:
            problems.append(f"steps.{name}.{key} is {content[key]!r}, expected {error}.")
    return problems or _joint_problems(name, _read(name, content), content)


def _joint_problems(name: str, operation: Operation | None, content: dict[str, Any]) -> list[str]:
    """Rules between parameters of one operation."""
    if isinstance(operation, Rescale) and operation.enlarge + operation.reduce > 1:
        total = operation.enlarge + operation.reduce
        return [f"steps.{name}.enlarge and .reduce sum to {total:g}, expected at most 1."]
    if isinstance(operation, Blur) and "sigma" not in content:
        gaussian = [kernel for kernel, _ in operation.kernels if kernel not in ("motion", "sinc")]
        return [f"steps.{name}.sigma is missing; {', '.join(gaussian)} kernels need it."] if gaussian else []
    return []


def _order_problems(steps: tuple[Step, ...]) -> list[str]:
    """An image must end at the side it began with."""
    changed = None
    for step in steps:
        if isinstance(step.operation, (Downsample, Rescale)):
            changed = step.name
        elif isinstance(step.operation, ResizeBack):
            changed = None
    return [f"steps.{changed} is not followed by resize_back; add `resize_back: {{}}` behind it."] if changed else []


def _plain(recipe: DegradationRecipe, steps: tuple[Step, ...]) -> dict[str, Any]:
    plain = {step.name: None if step.operation is None else _plain_operation(step.operation) for step in steps}
    return {"name": recipe.name, "reference_size": recipe.reference_size, "steps": plain}


def _plain_operation(operation: Operation) -> dict[str, Any]:
    defaults = {field.name: field.default for field in fields(operation)}
    return {name: kind.plain(value) for name, kind, value in parameters_of(operation) if value != defaults[name]}


def _hash(recipe: DegradationRecipe, steps: tuple[Step, ...]) -> str:
    content = _plain(recipe, steps)
    # The order of steps counts, that of parameters does not.
    ordered = content | {"steps": list(content["steps"].items())}
    text = json.dumps(ordered, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
