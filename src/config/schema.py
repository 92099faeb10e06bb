"""Registers the typed schema of every command, so that an unknown key or a wrong type fails when composing; and the
resolvers by which `conf/cluster` agrees with `trainer`.
"""

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from src.config.checked_loader import check_configurations
from src.settings.commands import DatasetConfig, EvaluateConfig, LeaderboardConfig, TrainConfig
from src.settings.data import FolderSettings, PackedSettings, StreamedSettings, SyntheticFacesSettings
from src.settings.restore import RestoreConfig


def register() -> None:
    """Store the schema nodes under the names that the defaults lists in `conf/` begin with, and check what is composed."""
    check_configurations()
    store = ConfigStore.instance()
    store.store(name="train_schema", node=TrainConfig)
    store.store(name="evaluate_schema", node=EvaluateConfig)
    store.store(name="restore_schema", node=RestoreConfig)
    store.store(name="dataset_schema", node=DatasetConfig)
    store.store(name="leaderboard_schema", node=LeaderboardConfig)
    store.store(group="data", name="synthetic_faces_schema", node=SyntheticFacesSettings)
    store.store(group="data", name="folder_schema", node=FolderSettings)
    store.store(group="data", name="packed_schema", node=PackedSettings)
    store.store(group="data", name="streamed_schema", node=StreamedSettings)
    OmegaConf.register_new_resolver("gpus_of", _gpus_of, replace=True)
    OmegaConf.register_new_resolver("cpus_of", _cpus_of, replace=True)


def _gpus_of(accelerator: str, devices: int) -> int | None:
    """GPUs of a machine; a training on the CPU asks for none."""
    return None if accelerator == "cpu" else devices


def _cpus_of(workers: int) -> int:
    """CPUs of one process: itself and its loader processes."""
    return workers + 1
