"""Small disks that a test fills or makes read-only."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BLOCK = 4096


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """`folder` as a disk of its own, in memory; skips the test where this process may not mount one."""
    folder.mkdir()
    try:
        _run("mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small disk can be mounted by root alone")
    try:
        yield folder
    finally:
        _run("umount", "--lazy", str(folder))


def fill(disk: Path, *, spare: int = 0) -> None:
    """Leave `spare` bytes, in whole blocks, on the disk."""
    with (disk / "filling").open("wb", buffering=0) as handle:
        try:
            while handle.write(bytes(BLOCK)) == BLOCK:
                pass
        except OSError:
            handle.truncate(max(0, handle.tell() // BLOCK * BLOCK - spare))


def make_read_only(disk: Path) -> None:
    """As a disk is after an error, or one that belongs to others."""
    _run("mount", "-o", "remount,ro", str(disk))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
