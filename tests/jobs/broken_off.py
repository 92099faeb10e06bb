"""Trainings that a process of their own breaks off in many ways, and what it leaves."""

import os
import subprocess
from pathlib import Path


def trained_by(module: str, folder: Path, python: str, root: Path) -> Path:
    """The folder, with what the module trains in it."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [python, "-m", module, str(folder)]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=840)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder
