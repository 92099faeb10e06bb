"""Weights that a run is built on, copied beside its own, so that one folder holds all that restoring needs."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from src.checkpoints.files import atomic_path, sha256_of


def copied_files(files: Mapping[str, Path], folder: Path) -> dict[str, str]:
    """Copy each file to `folder` under its name, with its own suffix; return SHA-256 by name."""
    return {name: _copied(source, folder / f"{name}{source.suffix}") for name, source in files.items()}


def _copied(source: Path, target: Path) -> str:
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
    return sha256_of(target)
