"""What a training writes line by line, and shows to the loggers; a continued one goes on behind its checkpoint."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger

from src.checkpoints.files import append_line, atomic_path

SCALARS, DENOISING, REGISTRATION = "train_log.jsonl", "denoising_curve.jsonl", "registration.jsonl"
LOGS = (SCALARS, DENOISING, REGISTRATION)
"""Files of JSON lines in a run's folder, one an iteration."""
IMAGES = "images"
"""Folder of the grids, beside them."""


class TrainingLog:
    """A file of JSON lines that bear their iteration, and loggers that are shown the same numbers.

    A killed process leaves lines behind its last checkpoint. The continued training repeats those iterations, with the same
    numbers: lines are dropped before, and loggers, which take nothing back, are shown only what they have not seen.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._told = path, 0

    def continue_from(self, iteration: int, loggers: Sequence[Logger]) -> None:
        """Drop lines of later iterations, and what was written of a line."""
        if not self._path.exists():
            return
        lines = self._path.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if (_iteration(line) or iteration + 1) <= iteration]
        if loggers:
            self._told = self._remember(max((_iteration(line) or 0 for line in lines), default=0), iteration)
        if len(kept) < len(lines):
            with atomic_path(self._path) as temporary:
                temporary.write_bytes(b"".join(kept))

    def write(
        self, iteration: int, numbers: dict[str, Any], loggers: Sequence[Logger], shown: dict[str, float]
    ) -> None:
        """Add a line, and show `shown` to the loggers by the stage's iteration."""
        append_line(self._path, json.dumps({"iteration": iteration, **numbers}))
        if iteration > self._told:
            for logger in loggers:
                logger.log_metrics({"train/iteration": iteration} | shown)

    def _remember(self, newest: int, iteration: int) -> int:
        """The newest iteration that any process has shown; those of dropped lines would be forgotten with them."""
        marker = told_file(self._path)
        told = max(newest, int(marker.read_text()) if marker.exists() else 0)
        if told > iteration:
            with atomic_path(marker) as temporary:
                temporary.write_text(str(told))
        return told


def told_file(log: Path) -> Path:
    """Where a log keeps the newest iteration that loggers were shown."""
    return log.with_suffix(".told")


def _iteration(line: bytes) -> int | None:
    """Of a whole line; None of a torn one."""
    try:
        found = json.loads(line)["iteration"] if line.endswith(b"\n") else None
    except (ValueError, TypeError, KeyError):
        return None
    return found if isinstance(found, int) else None
