"""Measures a restorer, or faces restored elsewhere: `python -m src.evaluate restorer=codeformer benchmark=rendered`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import hydra
from omegaconf import DictConfig, OmegaConf

from src.config.command import friendly_errors
from src.config.compose import CONFIG_DIR
from src.config.schema import register
from src.settings.commands import EvaluateConfig
from src.settings.errors import UserError

BENCHMARKS = Path("benchmarks")
"""Where a benchmark's bare name is looked for."""

register()


@hydra.main(version_base="1.3", config_path="../conf", config_name="evaluate")
@friendly_errors
def main(config: DictConfig) -> None:
    """Exit status 0, or 2 if a setting, the benchmark or a file is wrong."""
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise UserError(f"{', '.join(missing)}: not given; write for example {missing[0]}=<value>")
    settings = cast(EvaluateConfig, OmegaConf.to_object(config))
    from src.jobs.check_evaluation import check_evaluation

    check_evaluation(settings)
    # Torch is imported only now, so that a mistake is told at once.
    from src.jobs.evaluate_job import evaluate_job

    evaluate_job(settings, sys.argv[1:])


@friendly_errors
def spelled_out(words: Sequence[str]) -> list[str]:
    """Hydra overrides, where `benchmark=x` may name a folder, or one in `benchmarks`.

    Raises:
        UserError: `x` is neither a file of conf/benchmark nor a folder.
    """
    return [override for word in words for override in _spelled_out(word)]


def _spelled_out(word: str) -> list[str]:
    key, equals, value = word.partition("=")
    known = sorted(path.stem for path in (CONFIG_DIR / "benchmark").glob("*.yaml"))
    if key != "benchmark" or not equals or value in known:
        return [word]
    for folder in (Path(value).expanduser(), BENCHMARKS / value):
        if value and folder.is_dir():
            return ["benchmark.root='" + str(folder).replace("'", "\\'") + "'"]
    raise UserError(
        f"benchmark: {value!r} is neither a folder, nor one in {BENCHMARKS}, nor one of {', '.join(known)}; make one with "
        "`python -m src.dataset benchmark`"
    )


if __name__ == "__main__":
    sys.argv[1:] = spelled_out(sys.argv[1:])
    main()
