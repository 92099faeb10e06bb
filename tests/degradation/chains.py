"""Small chains for tests."""

from typing import Any

from src.degradation.chain import Chain, chain_of
from src.degradation.recipes import load_recipe
from src.settings.degradation import DegradationRecipe


def chain(reference_size: int | None = None, **steps: Any) -> Chain:
    """A chain of the given steps."""
    return chain_of(DegradationRecipe(name="test", reference_size=reference_size, steps=steps))


def changed(name: str, **changes: Any) -> DegradationRecipe:
    """A recipe of conf/degradation with some parameters changed, written step__parameter, or a step set to None."""
    recipe = load_recipe(name)
    steps = {step: None if content is None else dict(content) for step, content in recipe.steps.items()}
    for key, value in changes.items():
        step, _, parameter = key.partition("__")
        if parameter:
            steps[step][parameter] = value
        else:
            steps[step] = value
    return DegradationRecipe(name=recipe.name, reference_size=recipe.reference_size, steps=steps)
