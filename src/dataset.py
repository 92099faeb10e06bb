"""Looks at a source of faces: `python -m src.dataset output=preview.png degradations=[codeformer_large]`."""

from pathlib import Path
from typing import cast

import hydra
import numpy as np
from jaxtyping import UInt8
from omegaconf import DictConfig, OmegaConf

from src.config.command import friendly_errors
from src.config.schema import register
from src.data import FaceSource, build_source, count_faces
from src.data.splits import checked_split
from src.degradation.recipes import load_recipe, recipe_table
from src.settings.commands import PreviewConfig
from src.settings.degradation import DegradationRecipe
from src.settings.errors import UserError

ACTIONS = ("preview", "stats")

register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="dataset")
@friendly_errors
def main(config: DictConfig) -> None:
    """Exit status 0, or 2 if a setting or the source is wrong."""
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise UserError(f"{', '.join(missing)}: not given; write for example {missing[0]}=<value>")
    settings = cast(PreviewConfig, OmegaConf.to_object(config))
    if settings.action not in ACTIONS:
        raise UserError(f"action: {settings.action!r} is not one of {', '.join(ACTIONS)}")
    print(preview(settings) if settings.action == "preview" else stats(settings))


def stats(settings: PreviewConfig) -> str:
    """A table of images and identities of every split.

    Raises:
        UserError: the source cannot be read.
    """
    rows = [f"{'split':<12}{'images':>9}{'identities':>12}"]
    counts = count_faces(settings.data).items()
    rows += [f"{split:<12}{images:>9,}{identities:>12,}" for split, (images, identities) in counts]
    return "\n".join(rows)


def preview(settings: PreviewConfig) -> str:
    """Write a contact sheet, a row a face: HQ, then LQ of every recipe. Returns the tables of the recipes.

    Raises:
        UserError: a setting or recipe is wrong, the source cannot be read, or the file exists and may not be replaced.
    """
    recipes = [load_recipe(name) for name in settings.degradations]
    output = Path(settings.output).expanduser()
    _check(settings, output)
    source = build_source(settings.data, split=settings.split, size=settings.size, cache=None)
    count = min(settings.count, len(source))
    # Imported here, so that a mistake is told before the renderer is loaded.
    from src.data.image_file import write_png
    from src.faces.grid import image_grid

    rows = [_row(source, index, recipes, settings.seed) for index in range(count)]
    labels = ["HQ", *(recipe.name for recipe in recipes)]
    names = [source.name(index) for index in range(count)]
    write_png(output, image_grid(rows, column_labels=labels, row_labels=names))
    return "\n\n".join([*map(recipe_table, recipes), f"{count} faces of the {settings.split} split -> {output}"])


def _check(settings: PreviewConfig, output: Path) -> None:
    checked_split(settings.split)
    if settings.count < 1:
        raise UserError(f"count: {settings.count} must be 1 or more")
    if not 0 <= settings.seed < 2**32:
        raise UserError(f"seed: {settings.seed} must lie in [0, {2**32 - 1}]")
    if output.suffix.lower() != ".png":
        raise UserError(f"output: {output} must end in .png")
    if output.exists() and not settings.overwrite:
        raise UserError(f"output: {output} exists; give another name or overwrite=true")


def _row(
    source: FaceSource, index: int, recipes: list[DegradationRecipe], seed: int
) -> list[UInt8[np.ndarray, "s s 3"]]:
    from src.degradation.engine import degrade

    hq = source.image(index)
    return [hq, *(degrade(hq, recipe, seed=seed, index=index) for recipe in recipes)]


if __name__ == "__main__":
    main()
