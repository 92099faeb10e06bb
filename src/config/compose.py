"""Configurations as typed objects, and the jobs that a sweep consists of."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from src.config.schema import register
from src.settings.commands import TrainConfig
from src.settings.errors import UserError

CONFIG_DIR = Path(__file__).resolve().parents[2] / "conf"


def typed(config: DictConfig) -> TrainConfig:
    """The composed configuration as dataclasses.

    Raises:
        UserError: a mandatory key has no value, or an interpolation leads nowhere.
    """
    try:
        return cast(TrainConfig, OmegaConf.to_object(config))
    except OmegaConfBaseException as error:
        raise UserError(f"{error.full_key or 'configuration'}: {str(error).splitlines()[0]}") from None


@contextmanager
def _hydra_ready() -> Iterator[None]:
    register()
    running = GlobalHydra.instance().is_initialized()
    with nullcontext() if running else initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        yield


def compose_train(overrides: Sequence[str]) -> TrainConfig:
    """The training configuration that `python -m src.train <overrides>` would use for a single run."""
    with _hydra_ready():
        return typed(compose("train", overrides=list(overrides)))


def sweep_jobs(overrides: Sequence[str]) -> list[list[str]]:
    """The overrides of every job that these command-line overrides start, in order; one job if they sweep nothing."""
    with _hydra_ready():
        composed = compose("train", overrides=list(_without_sweeps(overrides)), return_hydra_config=True)
        params: dict[str, Any] = dict(composed.hydra.sweeper.params or {})
        on = composed.hydra.mode is not None and composed.hydra.mode.name == "MULTIRUN"
    given = {_key(text) for text in overrides}
    from_file = [f"{key}={value}" for key, value in params.items() if on and key not in given]
    choices = [_choices(text) for text in [*from_file, *overrides] if not text.startswith("hydra.")]
    return [list(job) for job in itertools.product(*choices)]


def _key(override: str) -> str:
    return override.split("=", 1)[0].lstrip("+~")


def _without_sweeps(overrides: Sequence[str]) -> Iterator[str]:
    for text in overrides:
        yield _choices(text)[0]


def _choices(text: str) -> list[str]:
    override = OverridesParser.create().parse_override(text)
    if not override.is_sweep_override():
        return [text]
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
