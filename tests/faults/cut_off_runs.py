"""Writes a W&B run for a server that is not there, in a process of its own: wandb keeps state for the life of a process.

python -m tests.faults.cut_off_runs FOLDER PATIENCE: the server is that of the environment; PATIENCE names the constant of
src/tracking/wandb_run.py that is made short. Prints the warnings.
"""

import sys
import warnings
from pathlib import Path
from typing import Any
from unittest.mock import patch

from src.settings.commands import LoggerSettings
from src.tracking import wandb_run

ROWS = 20
SECONDS = 2.0
SETTINGS = LoggerSettings(kind="wandb", project="suite", entity=None, mode="online", tags=[], checkpoint=False)


def write(folder: Path) -> None:
    """A run with `ROWS` rows and a final number."""
    about: dict[str, Any] = {"run_id": folder.name, "name": folder.name, "group": "sweep", "config": {"seed": 3}}
    with wandb_run.evaluation_run(SETTINGS, folder=folder, **about) as run:
        for row in range(ROWS):
            run.log({wandb_run.ITERATION: row, "train/loss": 1 / (1 + row)})
        run.summary["final/psnr"] = 23.5


def main(folder: Path, patience: str) -> None:
    """The run in `folder`."""
    with warnings.catch_warnings(record=True) as told, patch.object(wandb_run, patience, SECONDS):
        warnings.simplefilter("always")
        write(folder)
    print("\n".join(str(warning.message) for warning in told if "W&B" in str(warning.message)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
