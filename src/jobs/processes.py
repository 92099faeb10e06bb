"""Starting the training command again in a fresh process. Imports no torch."""

import os
import subprocess
import sys
from collections.abc import Sequence

from src.settings.errors import UserError

PARENT_VARIABLE = "BFR_PARENT"
"""Set in the environment of a run that another run or a sweep started: the leaderboard is then printed by that one."""


PROCESS_GROUP_VARIABLES = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "RANK", "WORLD_SIZE")


def has_parent() -> bool:
    """True if another run or a sweep started this one."""
    return PARENT_VARIABLE in os.environ


def train_command(overrides: Sequence[str]) -> list[str]:
    """The command line of one single run with these overrides."""
    kept = [text for text in overrides if not text.startswith("hydra.mode=")]
    return [sys.executable, "-m", "src.train", *kept, "hydra.mode=RUN"]


def run_training(overrides: Sequence[str]) -> int:
    """Run the command to its end and return its exit status; its output goes to this terminal."""
    return subprocess.run(train_command(overrides), env=child_environment()).returncode


def child_environment() -> dict[str, str]:
    """This environment without the variables of a process group, which the child forms for itself."""
    inherited = {name: value for name, value in os.environ.items() if name not in PROCESS_GROUP_VARIABLES}
    return inherited | {PARENT_VARIABLE: str(os.getpid())}


def train_upstream(overrides: Sequence[str], stage: str, seed: int) -> None:
    """Train `stage` with `seed` under the other overrides of the job that needs it.

    Raises:
        UserError: the training failed.
    """
    print(f"upstream {stage}: not in the run store, training it first", flush=True)
    kept = [text for text in overrides if not text.startswith(("stage=", "study=", "seed="))]
    status = run_training([*kept, f"stage={stage}", f"seed={seed}", "study=upstream"])
    if status != 0:
        raise UserError(f"upstream.{stage}: its training ended with exit status {status}; the reason is printed above")
