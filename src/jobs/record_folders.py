"""Where the records of a run lie, and the one that says why it failed. Imports no torch."""

import shutil
from dataclasses import replace
from pathlib import Path

from src.config.identity import arm_label
from src.settings.commands import TrainConfig
from src.tracking.records import RECORD_NAME


def study_folder(run_store: str, study: str) -> Path:
    """Records, leaderboard, pictures and W&B runs of a study lie here."""
    return Path(run_store) / "studies" / study


def records_folder(config: TrainConfig) -> Path:
    """Where the records of the configuration's study lie."""
    return study_folder(config.run_store, config.study) / "records"


def record_stem(config: TrainConfig) -> str:
    """Folder of a run's records in its study: a new run of the same arm, scale, seed and benchmark replaces the old one's."""
    return f"{arm_label(config)}-{suffix(config)}-s{config.seed}"


def suffix(config: TrainConfig) -> str:
    """Scale and benchmark, as folders of records name them."""
    root = config.benchmark.root
    return f"{config.scale.name}-{config.benchmark.degradation.name if root is None else Path(root).name}"


def failure_folder(config: TrainConfig) -> Path:
    """Where the record of a failed run lies."""
    return records_folder(config) / f"{record_stem(config)}-failed"


def has_failed(config: TrainConfig, label: str) -> bool:
    """Whether the last run of this arm under `label` left a record of its failure."""
    return (failure_folder(replace(config, label=label)) / RECORD_NAME).exists()


def clear_failure(config: TrainConfig) -> None:
    """Remove the record of an earlier failure of this arm."""
    shutil.rmtree(failure_folder(config), ignore_errors=True)
