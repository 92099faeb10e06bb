"""A lease is held as long as somebody renews it, whatever file is left."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from src.checkpoints import lease_watch
from src.checkpoints.lease_watch import LeaseWatch


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(lease_watch, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


def test_without_a_lock_file_the_time_runs(tmp_path: Path, clock: Clock) -> None:
    watch = LeaseWatch(tmp_path / "lock", 120)
    clock.now += 7
    assert watch.unheld_seconds() == 7
    (tmp_path / "lock").touch()
    assert watch.unheld_seconds() == 0
    (tmp_path / "lock").unlink()
    clock.now += 3
    assert watch.unheld_seconds() == 3


def test_a_lock_file_that_is_renewed_no_more_is_nobodys(tmp_path: Path, clock: Clock) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    watch = LeaseWatch(lock, 120)
    for renewal in range(5):
        os.utime(lock, (renewal, renewal))
        clock.now += 100
        assert watch.unheld_seconds() == 0
    clock.now += 110
    assert watch.unheld_seconds() == 0
    clock.now += 110
    assert watch.unheld_seconds() == 110
