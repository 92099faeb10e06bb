"""The gate that every configuration passes before Hydra calls anything that it names.

Hydra builds callbacks, launchers and log handlers on its own, long before the command's own function; single runs, sweeps,
each of their jobs, and compositions by `hydra.compose` all come out of the one loader that is replaced here.
"""

import sys
from typing import Any

import hydra._internal.hydra as hydra_runner
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import DictConfig

from src.config.command import friendly_errors
from src.config.foreign_code import ForeignCode, refuse_foreign_code


class CheckedConfigLoader(ConfigLoaderImpl):
    """Hydra's loader, which lets no configuration out that `refuse_foreign_code` refuses."""

    def load_configuration(
        self, config_name: str | None, overrides: list[str], *args: Any, **kwargs: Any
    ) -> DictConfig:
        """As Hydra's. Raises ForeignCode."""
        config = super().load_configuration(config_name, overrides, *args, **kwargs)
        refuse_foreign_code(config, overrides)
        return config


def check_configurations() -> None:
    """From now on, look over whatever Hydra composes or reads in this process; a second call changes nothing."""
    vars(hydra_runner)["ConfigLoaderImpl"] = CheckedConfigLoader
    vars(sys.modules["hydra.main"])["_get_rerun_conf"] = _refuse_pickled


@friendly_errors
def _refuse_pickled(path: str, *_: Any) -> DictConfig:
    raise ForeignCode(
        f"--experimental-rerun: {path} is unpickled, which can run any code; repeat the command with its overrides instead"
    )
