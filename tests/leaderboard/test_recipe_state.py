"""Whether an arm met the degradations of a benchmark in training."""

from typing import Any

import pytest

from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.document import document_text
from src.leaderboard.recipe_state import recipe_state
from src.tracking.records import StoredRecord
from tests.leaderboard.conftest import MakeRecord

TRAINED = {"recipes": {"small": "aaaa", "large": "bbbb"}}


def _bench(recipe: str, recipe_hash: str | None) -> dict[str, Any]:
    return {"hash": f"{recipe}-faces", "name": "synthetic", "n": 64, "recipe": recipe, "recipe_hash": recipe_hash}


@pytest.mark.parametrize(
    ("config", "recipe_hash", "state"),
    [
        (TRAINED, "bbbb", "inside"),
        (TRAINED, "cccc", "outside"),
        (TRAINED, "none", "outside"),
        (TRAINED, None, "unknown"),
        ({"recipes": {}}, "bbbb", "unknown"),
        ({"recipes": None}, "bbbb", "unknown"),
        ({}, "bbbb", "unknown"),
    ],
)
def test_recipes_are_compared_by_hash(
    make: MakeRecord, config: dict[str, Any], recipe_hash: str | None, state: str
) -> None:
    # The name of the recipe is that of a training recipe throughout, and says nothing.
    assert recipe_state(make("arm", config=config, benchmark=_bench("large", recipe_hash)).record) == state


def _recipes(records: list[StoredRecord]) -> list[str | None]:
    (table,) = study_tables(records, Choices(resamples=200))
    said = [ranking.recipe for ranking in table.rankings]
    assert [f"- {text}" in document_text([table]) for text in said] == [text is not None for text in said]
    return said


def test_each_ranking_says_what_its_arms_were_trained_on(make: MakeRecord) -> None:
    other, unknown = {"recipes": {"severe": "cccc"}}, {"seed": 0}
    arms = (("a", TRAINED), ("b", TRAINED), ("c", other), ("d", unknown))
    records = [
        make(arm, config=config, benchmark=_bench(recipe, recipe_hash))
        for recipe, recipe_hash in (("large", "bbbb"), ("severe", "cccc"))
        for arm, config in arms
    ]
    records.append(make("input", None, baseline=True, benchmark=_bench("large", "bbbb")))
    records += [make("a", w, config=TRAINED, benchmark=_bench("unseen", "dddd")) for w in (0.1, 0.9)]
    assert _recipes(records) == [
        "Recipe large: inside the training recipes of a and b; outside the training recipes of c; training recipes not "
        "recorded for d.",
        "Recipe severe: inside the training recipes of c; outside the training recipes of a and b; training recipes not "
        "recorded for d.",
        "Recipe unseen: outside the training recipes of every arm.",
    ]


def test_a_study_of_one_method_inside_its_recipes_compares_none(make: MakeRecord) -> None:
    inside = _bench("large", "bbbb")
    assert _recipes([make(arm, config=TRAINED, benchmark=inside) for arm in "ab"]) == [None]
    assert _recipes([make(arm, benchmark=inside) for arm in "ab"]) == [None]
