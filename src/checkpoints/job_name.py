"""What the processes of one job have in common and no other job has. Imports no torch."""

import os
from uuid import uuid4

from src.settings.loopback import is_loopback

JOB_VARIABLE = "BFR_JOB"
INTERACTIVE = ("bash", "interactive")
"""Names of SLURM jobs whose allocation Lightning takes for a shell, not for the processes of a training."""


def job_name() -> str:
    """Where its processes meet, or the SLURM step whose tasks they are; else a word that those started later inherit."""
    if JOB_VARIABLE not in os.environ:
        os.environ[JOB_VARIABLE] = _meeting_point() or slurm_step() or uuid4().hex
    return os.environ[JOB_VARIABLE]


def _meeting_point() -> str | None:
    address, port = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT")
    if not address or not port:
        return None
    # Another machine may have a job of its own at the same place.
    machine = [os.uname().nodename] if is_loopback(address) else []
    return ":".join([*machine, address, port])


def slurm_step() -> str | None:
    """The step of SLURM that this process is one of several tasks of, as by `srun`; None of a single one and in a shell.

    Lightning gives such tasks a meeting point only when it begins to train.
    """
    job, step = os.environ.get("SLURM_JOB_ID"), os.environ.get("SLURM_STEP_ID")
    several = int(os.environ.get("SLURM_NTASKS", "1")) > 1
    if not several or job is None or step is None or os.environ.get("SLURM_JOB_NAME") in INTERACTIVE:
        return None
    return f"slurm:{job}.{step}"
