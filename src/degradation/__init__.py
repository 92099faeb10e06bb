"""Synthetic degradation of faces: recipes, keyed random draws, the chain for one image and for a batch.

The exported names load on first use, so that reading a recipe costs neither OpenCV nor torch.
"""

from importlib import import_module
from typing import Any

_HOME = {
    "chain_of": "chain",
    "degrade": "engine",
    "degrade_batch": "batch",
    "degrade_pair": "engine",
    "load_recipe": "recipes",
    "recipe_hash": "chain",
    "recipe_problems": "chain",
    "recipe_table": "recipe_table",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
