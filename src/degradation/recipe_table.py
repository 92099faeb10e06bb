"""A recipe as text: every parameter with range, unit and source."""

from src.degradation.chain import Step, chain_of, parameters_of
from src.degradation.operations import Blur, Operation
from src.degradation.recipes import load_recipe, recipe_names
from src.settings.degradation import DegradationRecipe

HEAD = ("step", "parameter", "range", "unit", "source")
USED_BY = {
    "rotation": ("anisotropic", "motion"),
    "generalised_beta": ("generalised",),
    "plateau_beta": ("plateau",),
    "motion_length": ("motion",),
    "sinc_cutoff": ("sinc",),
    "sigma": ("isotropic", "anisotropic"),
}
"""Kernels that a parameter of the blur is for, by parts of their names."""


def recipe_table(recipe: DegradationRecipe) -> str:
    """The recipe as a plain-text table in the order applied: a line a parameter, with range, unit and source.

    Raises:
        UserError: the recipe cannot be used.
    """
    chain = chain_of(recipe)
    rows = [HEAD, *(row for step in chain.steps for row in _rows(step))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    size = "the image at hand" if recipe.reference_size is None else f"{recipe.reference_size} px"
    title = f"{recipe.name} ({chain.hash}), lengths and factors refer to {size}, {_range_source(recipe)}"
    return "\n".join([title, lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _rows(step: Step) -> list[tuple[str, ...]]:
    if step.operation is None:
        return [(step.name, "left out", "", "", "")]
    shown = []
    for name, kind, value in parameters_of(step.operation):
        if _matters(step.operation, name, value):
            first, *more = kind.texts(value)
            shown += [(name, first, kind.unit, kind.source), *(("", text, "", "") for text in more)]
    return [(step.name if place == 0 else "", *row) for place, row in enumerate(shown)]


def _matters(operation: Operation, name: str, value: object) -> bool:
    if name == "probability":
        return value != 1.0
    if not isinstance(operation, Blur) or name not in USED_BY:
        return True
    return any(part in kernel for kernel, _ in operation.kernels for part in USED_BY[name])


def _range_source(recipe: DegradationRecipe) -> str:
    if recipe.name in recipe_names() and chain_of(load_recipe(recipe.name)).hash == chain_of(recipe).hash:
        return f"ranges of conf/degradation/{recipe.name}.yaml"
    return "ranges set by this run"
