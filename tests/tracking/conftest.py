"""Offline runs, written once for all tests of the W&B view."""

import os
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def no_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Environment without W&B settings; returns the netrc file that is looked at."""
    for name in [key for key in os.environ if key.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return tmp_path / "netrc"


@pytest.fixture(scope="session")
def offline_runs(tmp_path_factory: pytest.TempPathFactory, forked_python: str) -> Path:
    """A run store as it arrives on a machine with internet: written in one place, moved to another. Not to be changed."""
    folder = tmp_path_factory.mktemp("offline")
    home = folder / "home"
    home.mkdir()
    plain = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    environment = {**plain, "HOME": str(home), "OMP_NUM_THREADS": "1"}
    command = [forked_python, "-m", "tests.tracking.offline_runs", "written"]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert not list(home.rglob("*wandb*")), "files outside the run folder would be lost when it is copied"
    return (folder / "written").rename(folder / "moved")
