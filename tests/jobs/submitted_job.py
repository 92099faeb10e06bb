"""A job that waits in a child process until it is stopped, and is through the second time. Imports no torch."""

import os
import sys
from pathlib import Path
from typing import Any

from src.jobs.child_process import run_child

CHILD = """
import signal, sys, time
from pathlib import Path
saved = Path(sys.argv[1])
def stop(*_):
    time.sleep(0.3)
    saved.write_text("a checkpoint")
    sys.exit(75)
signal.signal(signal.SIGTERM, stop)
print("child", "continued" if saved.exists() else "started", flush=True)
if not saved.exists():
    time.sleep(60)
"""
"""Given the path of its checkpoint."""


class Submitted:
    """A job as Hydra's launcher submits it: it starts a process, and is submitted again as it is."""

    def __init__(self, saved: Path) -> None:
        self.saved = saved

    def __call__(self) -> int:
        return run_child([sys.executable, "-c", CHILD, str(self.saved)], os.environ)

    def checkpoint(self) -> Any:
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)
