"""Registers the typed schema of every command, so that an unknown key or a wrong type fails when composing."""

from hydra.core.config_store import ConfigStore

from src.settings.commands import DatasetConfig, EvaluateConfig, LeaderboardConfig, TrainConfig
from src.settings.data import FolderSettings, PackedSettings, StreamedSettings, SyntheticFacesSettings
from src.settings.restore import RestoreConfig


def register() -> None:
    """Store the schema nodes under the names that the defaults lists in `conf/` begin with."""
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
