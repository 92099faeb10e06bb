"""A W&B server that never answers, or goes away under way: the job goes on, says so once, and nothing is lost."""

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from src.tracking.wandb_sync import sync_runs
from tests.faults.cut_off_runs import ROWS
from tests.tracking.wandb_stub import wandb_stub


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)


def test_a_server_that_never_answers(
    account: None, tmp_path: Path, forked_python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        told = _told(tmp_path / "silent", "_CONNECT_SECONDS", forked_python)
    assert told.startswith("W&B did not answer (")
    _check_it_can_be_sent(told, "silent", monkeypatch)


def test_a_server_that_goes_away(
    account: None, tmp_path: Path, forked_python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with wandb_stub() as stub:
        stub.broken = re.compile(r"file_stream|PUT")
        monkeypatch.setenv("WANDB_BASE_URL", stub.url)
        told = _told(tmp_path / "leaving", "_FINISH_SECONDS", forked_python)
        assert not stub.runs["leaving"].history
    assert told.startswith("W&B did not take all of the run within 2 s; it is kept, send it later with ")
    _check_it_can_be_sent(told, "leaving", monkeypatch)


def _told(folder: Path, patience: str, python: str) -> str:
    """The one warning of a process that writes a run."""
    command = [python, "-m", "tests.faults.cut_off_runs", str(folder), patience]
    environment = os.environ | {"HOME": str(folder.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    (sentence,) = done.stdout.splitlines()
    return sentence


def _check_it_can_be_sent(told: str, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the command in the warning, with everything in it, once."""
    (folder,) = re.findall(r"send it later with `python -m src\.leaderboard sync runs=(.+)`$", told)
    with wandb_stub() as stub:
        monkeypatch.setenv("WANDB_BASE_URL", stub.url)
        for outcome in ("sent", "sent before"):
            report = sync_runs(Path(folder), project=None, entity=None, dry_run=False)
            assert [entry.outcome for entry in report.segments] == [outcome], report.text
        rows = [row["train/loss"] for row in stub.runs[run_id].history.values() if "train/loss" in row]
        assert rows == [1 / (1 + row) for row in range(ROWS)]
        assert stub.runs[run_id].summary["final/psnr"] == 23.5
