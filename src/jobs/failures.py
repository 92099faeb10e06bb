"""A job that failed leaves a record that says why."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from src.checkpoints.files import UnwrittenFileError
from src.config.identity import effective_config
from src.config.identity import identity as config_identity
from src.jobs.record_folders import failure_folder, has_failed
from src.jobs.recording import Provenance, bare_record
from src.settings.commands import TrainConfig
from src.tracking.records import failed_record, write_record


def write_failure(config: TrainConfig, overrides: Sequence[str], reason: str) -> None:
    """Record that this configuration gave no numbers, unless the disk refuses: that must not hide `reason`."""
    with suppress(UnwrittenFileError):
        _record_failure(config, overrides, reason)


def _record_failure(config: TrainConfig, overrides: Sequence[str], reason: str) -> None:
    name = config_identity(effective_config(config), {})
    record = bare_record(config, Provenance(name, name, overrides, {}))
    write_record(failure_folder(config), failed_record(record, reason), None, overwrite=True)


def failed_job(config: TrainConfig, label: str, overrides: Sequence[str], status: int) -> None:
    """Record a sweep job that ended with `status`, unless it could still say itself why.

    Raises:
        UnwrittenFileError: the disk is full or read-only, which ends the sweep: other jobs would fail alike.
    """
    if not has_failed(config, label):
        _record_failure(
            replace(config, label=label), overrides, f"the process ended with exit status {status} without a message"
        )
