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

from src.checkpoints.run_lock import JOB_VARIABLE, LOCK_FILE, LOST, TRAINER_FILE

pytestmark = pytest.mark.timeout(60)

SCRIPT = """
import sys
from pathlib import Path
from src.checkpoints import run_lock
folder, lease, first = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3] == "first"
run_lock.LEASE_SECONDS, run_lock.POLL_SECONDS = lease, 0.05
print("asked", flush=True)
with run_lock.trained_by_one(folder, (folder / "done").exists, first=first):
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
    folder: Path, lease: float = 60.0, first: bool = True, job: tuple[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A job about to ask for the run, which it would train until `let_end`; `job` is where its processes meet."""
    own = {
        name: value for name, value in os.environ.items() if name not in ("MASTER_ADDR", "MASTER_PORT", JOB_VARIABLE)
    }
    meeting = {} if job is None else {"MASTER_ADDR": job[0], "MASTER_PORT": job[1]}
    words = [sys.executable, "-c", SCRIPT, str(folder), str(lease), "first" if first else "other"]
    pipe = subprocess.PIPE
    # Without buffers, in which `is_silent` would not see what was said.
    with subprocess.Popen(words, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe, env=own | meeting) as process:
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


def test_processes_of_one_job_go_on_together_and_those_of_another_wait(tmp_path: Path) -> None:
    here, elsewhere = ("node0", "29500"), ("node1", "29500")
    with asked(tmp_path, first=False, job=here) as mate, asked(tmp_path, first=False, job=elsewhere) as stranger:
        assert is_silent(mate)
        with asked(tmp_path, job=here) as first:
            assert line(first) == "training"
            assert line(mate) == "training"
            assert is_silent(stranger)
            let_end(first)
            assert line(stranger) == "found"
            assert (tmp_path / "done").exists()


def test_who_lost_the_run_stops(tmp_path: Path) -> None:
    with asked(tmp_path, lease=0.6) as one:
        assert line(one) == "training"
        until((tmp_path / TRAINER_FILE).exists)
        (tmp_path / LOCK_FILE).unlink()
        assert one.wait(timeout=20) == LOST
        assert one.stderr is not None
        assert "this process lost the run (marker-missing)" in one.stderr.read().decode()
