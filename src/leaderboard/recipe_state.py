"""Whether a method met the degradations of a benchmark in its training."""

from collections.abc import Sequence
from typing import Literal

from src.leaderboard.row import Row
from src.tracking.records import Record

RecipeState = Literal["inside", "outside", "unknown"]
"""Of the recipes that a method was trained on: the benchmark's is one of them, or none, or it is not recorded."""

_TEXTS: dict[RecipeState, str] = {
    "inside": "inside the training recipes of",
    "outside": "outside the training recipes of",
    "unknown": "training recipes not recorded for",
}


def recipe_state(record: Record) -> RecipeState:
    """Compares recipes by their hashes: a recipe of the same name may have been changed."""
    recipes = record.config.get("recipes")
    benchmark = record.benchmark.get("recipe_hash")
    if not isinstance(recipes, dict) or not recipes or not benchmark:
        return "unknown"
    return "inside" if benchmark in recipes.values() else "outside"


def state_of(row: Row) -> RecipeState:
    """That of all records of a row; unknown where they differ."""
    states = {recipe_state(entry.record) for entry in row.records}
    return states.pop() if len(states) == 1 else "unknown"


def is_worth_saying(rankings: Sequence[Sequence[Row]]) -> bool:
    """Whether a study compares recipes or methods: several benchmarks, restorers, or degradations outside a training."""
    ranked = [row for rows in rankings for row in rows if row.ranked]
    states = {state_of(row) for row in ranked}
    several = len(rankings) > 1 or len({row.restorer for row in ranked}) > 1
    return "outside" in states or (several and "inside" in states)


def recipe_sentence(rows: Sequence[Row]) -> str | None:
    """`Recipe gfpgan: outside the training recipes of a and b; inside those of c.` for the ranked rows of a benchmark; None
    without any."""
    ranked = [row for row in rows if row.ranked]
    if not ranked:
        return None
    arms = {state: list(dict.fromkeys(row.arm for row in ranked if state_of(row) == state)) for state in _TEXTS}
    known = {state: _joined(names) for state, names in arms.items() if names}
    parts = [f"{_TEXTS[state]} {'every arm' if len(known) == 1 else names}" for state, names in known.items()]
    return f"Recipe {ranked[0].records[0].record.benchmark.get('recipe', 'not recorded')}: {'; '.join(parts)}."


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
