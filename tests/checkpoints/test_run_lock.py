"""One job trains a run, whoever else asks for it meanwhile; the dead hold nothing."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from src.checkpoints.job_name import JOB_VARIABLE
from src.checkpoints.run_lock import LOCK_FILE, LOST, TRAINER_FILE, trained_by_one

pytestmark = pytest.mark.timeout(60)

SCRIPT = """
import sys
from pathlib import Path
from src.checkpoints import run_lock
folder, first = Path(sys.argv[1]), sys.argv[2] == "first"
lease, patience = map(float, sys.argv[3:])
run_lock.LEASE_SECONDS, run_lock.POLL_SECONDS = lease, 0.05
print("asked", flush=True)
with run_lock.trained_by_one(folder, (folder / "done").exists, first=first, patience=patience):
    if (folder / "done").exists():
        print("found", flush=True)
    else:
        print("training", flush=True)
        sys.stdin.readline()
        (folder / "done").touch()
print("end", flush=True)
"""


@contextmanager
def asked(
    folder: Path,
    *,
    lease: float = 60.0,
    first: bool = True,
    patience: float = 40.0,
    place: dict[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A job about to ask for the run, which it would train until `let_end`; `place` is what its processes have in common."""
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("MASTER_", "SLURM_", JOB_VARIABLE))
    }
    words = [sys.executable, "-c", SCRIPT, str(folder), "first" if first else "other", str(lease), str(patience)]
    pipe = subprocess.PIPE
    # Without buffers, in which `is_silent` would not see what was said.
    with subprocess.Popen(words, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe, env=own | (place or {})) as process:
        try:
            assert line(process) == "asked"
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


def is_silent(process: subprocess.Popen[bytes]) -> bool:
    """Whether it says nothing for half a second."""
    return not select.select([process.stdout], [], [], 0.5)[0]


def let_end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_second_job_waits_says_for_whom_and_finds_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "vqgan" / "all-1"
    with asked(folder) as one:
        assert line(one) == "training"
        with asked(folder) as two:
            assert line(two) == f"vqgan all-1: process {one.pid} on {os.uname().nodename} trains it; waiting for that"
            let_end(one)
            assert line(two) == "found"
            assert two.wait(timeout=20) == 0
    assert not (folder / LOCK_FILE).exists()
    assert not (folder / TRAINER_FILE).exists()


def test_a_killed_trainer_holds_nothing(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        assert line(one) == "training"
        one.send_signal(signal.SIGKILL)
        one.wait()
    assert (tmp_path / LOCK_FILE).exists()
    started = time.monotonic()
    with asked(tmp_path) as two:
        assert any(line(two) == "training" for _ in range(2))
    assert time.monotonic() - started < 30


def at(address: str) -> dict[str, str]:
    return {"MASTER_ADDR": address, "MASTER_PORT": "29500"}


def step(number: int) -> dict[str, str]:
    return {"SLURM_JOB_ID": "77", "SLURM_STEP_ID": str(number), "SLURM_NTASKS": "2"}


@pytest.mark.parametrize(("here", "elsewhere"), [(at("node0"), at("node1")), (step(0), step(1))])
def test_processes_of_one_job_go_on_together_and_those_of_another_wait(
    tmp_path: Path, here: dict[str, str], elsewhere: dict[str, str]
) -> None:
    with asked(tmp_path, first=False, place=here) as mate, asked(tmp_path, first=False, place=elsewhere) as stranger:
        assert is_silent(mate)
        with asked(tmp_path, place=here) as first:
            assert line(first) == "training"
            assert line(mate) == "training"
            assert is_silent(stranger)
            let_end(first)
            assert line(stranger) == "found"
            assert (tmp_path / "done").exists()


def test_others_of_a_job_whose_first_process_never_comes_give_up(tmp_path: Path) -> None:
    with asked(tmp_path, first=False, patience=0.5) as mate:
        assert mate.wait(timeout=20) == 1
        assert mate.stderr is not None
        said = mate.stderr.read().decode()
    assert f"UserError: {tmp_path}: the first process of this training has not begun it" in said
    assert "cluster.patience = 0.5 s" in said


def test_others_wait_longer_while_another_job_holds_the_run(tmp_path: Path) -> None:
    with asked(tmp_path) as one:
        assert line(one) == "training"
        with asked(tmp_path, first=False, patience=0.1, place=at("node1")) as stranger:
            assert is_silent(stranger)
            let_end(one)
            assert line(stranger) == "found"


def test_a_disk_that_keeps_a_file_neither_keeps_the_lease_nor_hides_the_error(tmp_path: Path) -> None:
    def fail() -> None:
        with trained_by_one(tmp_path, lambda: False, first=True, patience=1):
            (tmp_path / TRAINER_FILE).unlink()
            (tmp_path / TRAINER_FILE).mkdir()  # which `unlink` refuses
            raise ValueError("the loss is NaN")

    with pytest.raises(ValueError, match="the loss is NaN"):
        fail()
    assert not (tmp_path / LOCK_FILE).exists()


def test_who_lost_the_run_stops(tmp_path: Path) -> None:
    with asked(tmp_path, lease=0.6) as one:
        assert line(one) == "training"
        until((tmp_path / TRAINER_FILE).exists)
        (tmp_path / LOCK_FILE).unlink()
        assert one.wait(timeout=20) == LOST
        assert one.stderr is not None
        assert "this process lost the run (marker-missing)" in one.stderr.read().decode()
