"""A clock that is set back, or was ahead once: the newest of runs and records stays the one that was made last."""

import io
import os
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from src.checkpoints import stamps
from src.checkpoints.store import RunStatus, RunStore, write_status
from src.jobs.steady_bar import SteadyBar
from src.leaderboard.selection import newest
from src.tracking import record_time
from src.tracking.record_time import time_of_record, times_of_records
from src.tracking.records import RECORD_NAME, read_records
from src.tracking.wandb_segments import find_segments
from src.tracking.wandb_sync import sync_runs
from tests.leaderboard.conftest import maker

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOURS = (0, -5, 30 * 24, -1, -1)
"""Of successive looks at the clock, from noon: set back, a month ahead by mistake, and right again."""

SetClock = Callable[[float], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    return lambda hours: monkeypatch.setattr(stamps, "present", lambda: NOON + timedelta(hours=hours))


def test_the_last_run_to_finish_is_found(tmp_path: Path, set_clock: SetClock) -> None:
    store = RunStore(tmp_path)
    for number, hours in enumerate(HOURS):
        set_clock(hours)
        name = f"run{number}"
        for state in ("running", "finished"):
            written = write_status(store.folder("vqgan", name), RunStatus("vqgan", "abcd", name, state))
        assert store.find("vqgan", "abcd") == written


def test_the_last_run_of_an_arm_counts(tmp_path: Path, set_clock: SetClock) -> None:
    make, made = maker(tmp_path), []
    for number, hours in enumerate(HOURS):
        set_clock(hours)
        made.append(make("none", run=f"run{number}", identity=f"{number}", created=time_of_record(tmp_path)))
        kept, notes = newest(read_records(tmp_path).records)
        assert [entry.record for entry in kept] == [made[-1].record]
        assert bool(notes) == (number > 0)
    failed = make("none", status="failed", created=time_of_record(tmp_path))
    assert failed.record in [entry.record for entry in newest([*made, failed])[0]]


def test_stamps_keep_to_the_clock_where_it_runs_on(set_clock: SetClock) -> None:
    set_clock(1)
    assert stamps.later_stamp([NOON.isoformat(), "no stamp", "", "2099-01-01T00:00:00"]) == "2026-03-01T13:00:00+00:00"
    set_clock(-1)
    assert stamps.later_stamp(["2026-03-01T14:00:00+02:00"]) == "2026-03-01T12:00:00.000001+00:00"


@pytest.mark.parametrize("stamp", ["9999-12-31T23:59:59.999999+00:00", "9999-12-31T23:00:00-05:00"])
def test_the_end_of_time_has_no_later_stamp(set_clock: SetClock, stamp: str) -> None:
    set_clock(0)
    assert stamps.later_stamp([stamp]) == NOON.isoformat()


def test_records_of_one_job_are_behind_those_before_which_are_read_once(
    tmp_path: Path, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_clock(0)
    maker(tmp_path)("none", created="2026-03-01T13:00:00+00:00")
    times = times_of_records(tmp_path)
    first = next(times)
    monkeypatch.setattr(record_time, "read_json", None)  # must not be asked again
    found = [first, next(times)]
    set_clock(5)
    found.append(next(times))
    assert found == [
        "2026-03-01T13:00:00.000001+00:00",
        "2026-03-01T13:00:00.000002+00:00",
        "2026-03-01T17:00:00+00:00",
    ]


@pytest.mark.parametrize("kind", ["pipe", "deep", "no object", "no time"])
def test_what_is_no_record_has_no_time(tmp_path: Path, set_clock: SetClock, kind: str) -> None:
    set_clock(0)
    path = tmp_path / "a" / RECORD_NAME
    path.parent.mkdir()
    contents = {"deep": "[" * 100_000, "no object": "[]", "no time": "{}"}
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_text(contents[kind])
    assert time_of_record(tmp_path) == NOON.isoformat()


def test_a_bar_knows_no_negative_time(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    bar = SteadyBar(total=10, file=shown, mininterval=0)
    now = time.time()
    monkeypatch.setattr("tqdm.std.time", lambda: now - 86_400)
    bar.update(5)
    assert bar.format_dict["elapsed"] >= 0
    assert re.search(r" 5/10 \[\d\d:\d\d<\d\d:\d\d, +[\d.]+it/s\]", shown.getvalue()), shown.getvalue()
    bar.close()


def test_a_wandb_log_from_the_future_does_not_seem_to_be_still_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "wandb" / "offline-run-20260301_120000-abc" / "run-abc.wandb"
    log.parent.mkdir(parents=True)
    log.write_bytes(b":W&B\x8d\xde\x00")
    for ahead, outcome in ((5.0, "running"), (3600.0, "listed")):
        os.utime(log, times=(time.time() + ahead,) * 2)
        (synced,) = sync_runs(tmp_path, project=None, entity=None, dry_run=True).segments
        assert (synced.outcome, "-" in synced.sentence) == (outcome, False)
    assert len(find_segments(tmp_path)) == 1
