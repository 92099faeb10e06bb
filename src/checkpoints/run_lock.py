"""Who trains a run: a lease on its folder, so that two commands that need the same run train it once. Imports no torch."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from filelock import LeaseCompromise, SoftFileLease, Timeout

from src.checkpoints.files import atomic_path
from src.checkpoints.job_name import job_name
from src.checkpoints.lease_watch import LeaseWatch
from src.settings.errors import UserError

LOCK_FILE, TRAINER_FILE = "training.lock", "trainer.txt"
LEASE_SECONDS = 120
"""A trainer that has not renewed its lease for so long is taken for dead, on whatever machine it ran."""
POLL_SECONDS = 1.0
LOST = 75
"""Exit status of a trainer that lost its lease (EX_TEMPFAIL: the same command goes on from the last checkpoint)."""


@contextmanager
def trained_by_one(folder: Path, is_done: Callable[[], bool], *, first: bool, patience: int) -> Iterator[None]:
    """Hold the run while the block trains it; waits, and says for whom, while another job has it.

    Processes of one job share the lease: the first one takes it, the others go on as soon as it has.

    Args:
        is_done: whether the run has been finished meanwhile, by whoever had it; the others then wait no longer.
        first: whether this is the first process of its job.
        patience: seconds that the others wait while nobody holds the run.

    Raises:
        UserError: the first process of this job does not take the run, as when it has failed.
    """
    if not first:
        _until_ours(folder, is_done, patience)
        yield
        return
    lease = SoftFileLease(folder / LOCK_FILE, lease_duration=LEASE_SECONDS, on_compromise=_give_up)
    folder.mkdir(parents=True, exist_ok=True)
    _acquire(lease, folder)
    try:
        with atomic_path(folder / TRAINER_FILE) as temporary:
            temporary.write_text(f"{job_name()}\n")
        yield
    finally:
        # A disk that refuses this must neither keep the lease nor hide what ended the training.
        with suppress(OSError):
            (folder / TRAINER_FILE).unlink(missing_ok=True)
        lease.release()


def _acquire(lease: SoftFileLease, folder: Path) -> None:
    try:
        lease.acquire(timeout=0)
    except Timeout:
        print(f"{folder.parent.name} {folder.name}: {_owner(folder)} trains it; waiting for that", flush=True)
        lease.acquire(timeout=-1, poll_interval=POLL_SECONDS)


def _owner(folder: Path) -> str:
    """Machine and process, as the lock file names them."""
    try:
        lines = (folder / LOCK_FILE).read_text().splitlines()
    except OSError:
        return "another process"
    known = dict(line.split("=", 1) for line in lines if "=" in line)
    return f"process {known['pid']} on {known['host']}" if {"pid", "host"} <= known.keys() else "another process"


def _until_ours(folder: Path, is_done: Callable[[], bool], patience: int) -> None:
    watch = LeaseWatch(folder / LOCK_FILE, LEASE_SECONDS)
    while not is_done():
        with suppress(OSError):
            if (folder / TRAINER_FILE).read_text().strip() == job_name():
                return
        if watch.unheld_seconds() > patience:
            raise UserError(
                f"{folder}: the first process of this training has not begun it within cluster.patience = {patience} s; its "
                "own message says why, then give the same command again"
            )
        time.sleep(POLL_SECONDS / 4)


def _give_up(compromise: LeaseCompromise) -> NoReturn:
    """Another job may train the run by now: what this one would still write would mix with it."""
    print(
        f"error: {compromise.lock_file}: this process lost the run ({compromise.reason}), which happens when it stood "
        f"still for {LEASE_SECONDS} s or somebody removed the file; the same command goes on from the last checkpoint",
        file=sys.stderr,
        flush=True,
    )
    os._exit(LOST)
