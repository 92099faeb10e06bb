"""A job that failed leaves a record that says why."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from src.config.identity import effective_config
from src.config.identity import identity as config_identity
from src.jobs.recording import Provenance, bare_record, records_folder
from src.settings.commands import TrainConfig
from src.tracking.records import RECORD_NAME, failed_record, write_record


def failure_folder(config: TrainConfig) -> Path:
    """Where the record of a failed run lies."""
    from src.jobs.subjects import record_stem

    return records_folder(config) / f"{record_stem(config)}-failed"


def write_failure(config: TrainConfig, overrides: Sequence[str], reason: str) -> None:
    """Record that this configuration gave no numbers."""
    name = config_identity(effective_config(config), {})
    record = bare_record(config, Provenance(name, name, overrides, {}))
    write_record(failure_folder(config), failed_record(record, reason), None, overwrite=True)


def clear_failure(config: TrainConfig) -> None:
    """Remove the record of an earlier failure of this arm."""
    shutil.rmtree(failure_folder(config), ignore_errors=True)


def failed_job(config: TrainConfig, label: str, overrides: Sequence[str], status: int) -> None:
    """Record a sweep job that ended with `status`, unless it could still say itself why."""
    labelled = replace(config, label=label)
    if not (failure_folder(labelled) / RECORD_NAME).exists():
        write_failure(labelled, overrides, f"the process ended with exit status {status} without a message")
