"""Starting the training command again in a fresh process. Imports no torch."""

import subprocess
import sys
from collections.abc import Sequence

from src.settings.errors import UserError


def train_command(overrides: Sequence[str]) -> list[str]:
    """The command line of one single run with these overrides."""
    kept = [text for text in overrides if not text.startswith("hydra.mode=")]
    return [sys.executable, "-m", "src.train", *kept, "hydra.mode=RUN"]


def run_training(overrides: Sequence[str]) -> int:
    """Run the command to its end and return its exit status; its output goes to this terminal."""
    return subprocess.run(train_command(overrides)).returncode


def train_upstream(overrides: Sequence[str], stage: str) -> None:
    """Train `stage` under the overrides of the job that needs it.

    Raises:
        UserError: the training failed.
    """
    print(f"upstream {stage}: not in the run store, training it first", flush=True)
    status = run_training([*(text for text in overrides if not text.startswith("stage=")), f"stage={stage}"])
    if status != 0:
        raise UserError(f"upstream.{stage}: its training ended with exit status {status}; the reason is printed above")
