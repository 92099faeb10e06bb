"""Commit, machine and packages of a record."""

import subprocess
from pathlib import Path

import pytest

from src.tracking.provenance import PACKAGES, UNKNOWN, git_commit, hardware, package_versions


def _git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false", "-c", "core.hooksPath="]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_commit_and_dirty_flag(tmp_path: Path) -> None:
    _git(tmp_path, "init")
    assert git_commit(tmp_path) == (UNKNOWN, False)
    (tmp_path / "code.py").write_text("a = 1\n")
    _git(tmp_path, "add", "code.py")
    _git(tmp_path, "commit", "-m", "first")
    commit, dirty = git_commit(tmp_path)
    assert len(commit) == 40
    assert not dirty
    (tmp_path / "untracked.txt").write_text("")
    assert git_commit(tmp_path) == (commit, False)
    (tmp_path / "code.py").write_text("a = 2\n")
    assert git_commit(tmp_path) == (commit, True)
    (tmp_path / "copy").mkdir()
    assert git_commit(tmp_path / "copy") == (UNKNOWN, False), "a surrounding repository is not this code"


def test_unknown_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit(tmp_path) == (UNKNOWN, False)


def test_machine_and_packages() -> None:
    machine = hardware()
    assert machine["cpu"]
    assert isinstance(machine["cores"], int)
    versions = package_versions()
    assert {"python", "torch", "numpy"} <= set(versions)


def test_packages_are_asked_for_by_the_names_they_are_installed_under(root: Path) -> None:
    locked = {line.split("==")[0] for line in (root / "requirements.lock").read_text().splitlines()}
    assert set(PACKAGES) - locked == {"dlib"}, "its sources, which a user can have built"
    assert {"dlib-bin", "facenet-pytorch"} <= set(PACKAGES)
