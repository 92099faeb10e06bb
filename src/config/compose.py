"""Configurations as typed objects, and the jobs that a sweep consists of."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

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
    except MissingMandatoryValue as error:
        raise UserError(f"{error.full_key}: no value was given; write {error.full_key}=<value>") from None
    except OmegaConfBaseException as error:
        raise UserError(f"{error.full_key or 'configuration'}: {str(error).splitlines()[0]}") from None


@contextmanager
def _hydra_ready() -> Iterator[None]:
    register()
    running = GlobalHydra.instance().is_initialized()
    with nullcontext() if running else initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        yield


def compose_train(overrides: Sequence[str]) -> TrainConfig:
    """The training configuration that `python -m src.train <overrides>` would use for a single run.

    Raises:
        UserError: an unknown group, option or key, or a value of the wrong type.
    """
    with _hydra_ready(), _named_mistakes():
        return typed(compose("train", overrides=list(overrides)))


@contextmanager
def _named_mistakes() -> Iterator[None]:
    try:
        yield
    except HydraException as error:
        # The cause of "Error merging override seed=abc" says what is wrong with the value.
        sentences = [str(part).splitlines()[:2] for part in (error, error.__cause__) if part is not None]
        raise UserError("; ".join(line.strip() for lines in sentences for line in lines if line.strip())) from None


def sweep_jobs(overrides: Sequence[str]) -> list[list[str]]:
    """The overrides of every job that these command-line overrides start, in Hydra's order and spelling.

    Overrides that sweep nothing are one job. A key that is given twice counts as given last, so the command line wins over
    the sweep of an experiment file.

    Raises:
        UserError: as `compose_train`.
    """
    with _named_mistakes():
        return _sweep_jobs(overrides)


def _sweep_jobs(overrides: Sequence[str]) -> list[list[str]]:
    first = [choices[0] for choices in _by_key(overrides).values()]
    with _hydra_ready():
        composed = compose("train", overrides=first, return_hydra_config=True)
        params: dict[str, Any] = dict(composed.hydra.sweeper.params or {})
        on = composed.hydra.mode is not None and composed.hydra.mode.name == "MULTIRUN"
    from_file = [f"{key}={value}" for key, value in params.items()] if on else []
    given = [text for text in overrides if not text.startswith("hydra.")]
    return [list(job) for job in itertools.product(*_by_key([*from_file, *given]).values())]


def _by_key(overrides: Sequence[str]) -> dict[str, list[str]]:
    """Key to the overrides that it takes in turn, each written as Hydra hands it to a job."""
    choices = {}
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        key = override.get_key_element()
        sweep = override.is_sweep_override()
        values = override.sweep_string_iterator() if sweep else [override.get_value_element_as_str()]
        choices[key] = [f"{key}={value}" for value in values]
    return choices
