"""Settings of `python -m src.restore` as the command composes them."""

from collections.abc import Sequence

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from src.config.compose import CONFIG_DIR
from src.config.schema import register
from src.settings.restore import RestoreConfig


def restore_config(overrides: Sequence[str]) -> RestoreConfig:
    """The settings with these overrides."""
    register()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return OmegaConf.to_object(compose("restore", overrides=list(overrides)))
