"""Faces and their degradations: looks at a source, packs it, checks it, freezes a benchmark of it.

python -m src.dataset preview output=preview.png recipes=[codeformer_small,codeformer_large]
python -m src.dataset benchmark recipe=codeformer_large source=DIR n=100 seed=1 output=benchmarks/mine
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import hydra
from omegaconf import DictConfig, OmegaConf

from src.config.command import friendly_errors
from src.config.compose import CONFIG_DIR
from src.config.schema import register
from src.data.lost_loader import told_loss
from src.degradation.chain import chain_of
from src.jobs.dataset_actions import benchmark, pack_faces, preview, stats, validate
from src.settings.commands import DatasetConfig
from src.settings.errors import UserError

ACTIONS: dict[str, Callable[[DatasetConfig], str]] = {
    "preview": preview,
    "stats": stats,
    "pack": pack_faces,
    "validate": validate,
    "benchmark": benchmark,
}

register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="dataset")
@friendly_errors
def main(config: DictConfig) -> None:
    """Exit status 0, or 2 if a setting, the source or a file of it is wrong."""
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise UserError(f"{', '.join(missing)}: not given; write for example {missing[0]}=<value>")
    settings = cast(DatasetConfig, OmegaConf.to_object(config))
    if settings.action not in ACTIONS:
        raise UserError(f"action: {settings.action!r} is not one of {', '.join(ACTIONS)}")
    chain_of(settings.recipe, "recipe")
    with told_loss():
        print(ACTIONS[settings.action](settings))


def spelled_out(words: Sequence[str]) -> list[str]:
    """The short spellings as Hydra overrides.

    `pack` -> action=pack; `recipe=x` -> degradation@recipe=x; `source=x` -> data=x, or, where x is a folder or an archive,
    the kind of source that lies there with data.root=x.
    """
    found = [f"action={words[0]}", *words[1:]] if words and words[0].isidentifier() else list(words)
    return [override for word in found for override in _spelled_out(word)]


def _spelled_out(word: str) -> list[str]:
    key, equals, value = word.partition("=")
    if not equals or key not in ("recipe", "source"):
        return [word]
    if key == "recipe":
        return [f"degradation@recipe={value}"]
    if (CONFIG_DIR / "data" / f"{value}.yaml").is_file():
        return [f"data={value}"]
    kind = "packed" if (Path(value).expanduser() / "store.json").is_file() else "folder"
    return [f"data={kind}", f"data.root={value}"]


if __name__ == "__main__":
    sys.argv[1:] = spelled_out(sys.argv[1:])
    main()
