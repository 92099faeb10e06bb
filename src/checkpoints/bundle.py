"""Copies a finished run into the checkpoints that come with the repository."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from src.checkpoints.files import atomic_path, sha256_of
from src.checkpoints.network_file import load_network, save_network
from src.checkpoints.store import RunStore, StoredRun, read_run, write_status
from src.settings.errors import UserError

CARD = "card.json"


Store = Callable[[StoredRun, str, Path], str]
"""Puts a kind of network of a run into the weights folder of another; returns the SHA-256 of what it wrote."""


def bundle_run(folder: Path, bundled: Path, store: Store) -> Path:
    """`store` the run's networks (`halved` or `copied`) under `bundled`, with its status and a card; return the new folder.

    The identity stays that of the run, so that `upstream: auto` finds it; the hashes are those of the new files. Runs that
    were trained on one that is halved do not know it by its hash: of a chain of runs, halve before the next is trained, or
    copy all.

    Raises:
        UserError: `folder` holds no finished run.
    """
    run = read_run(folder)
    if run is None or not run.is_finished:
        raise UserError(f"{folder}: holds no finished run; give a folder such as runs/vqgan/<name>")
    target = RunStore(bundled).folder(run.status.stage, run.status.name)
    weights = {kind: store(run, kind, target / "weights") for kind in run.status.weights}
    with atomic_path(target / CARD) as temporary:
        temporary.write_text(json.dumps(_card(run), indent=2) + "\n")
    write_status(target, replace(run.status, weights=weights))
    return target


def halved(run: StoredRun, kind: str, target: Path) -> str:
    """In half precision (`Store`)."""
    loaded = load_network(run.weights_file(kind))
    path = target / f"{kind}.safetensors"
    return save_network(path, loaded.kind, loaded.network, loaded.settings, loaded.facts, half=True)


def copied(run: StoredRun, kind: str, target: Path) -> str:
    """As it is (`Store`)."""
    path = target / f"{kind}.safetensors"
    with atomic_path(path) as temporary:
        shutil.copyfile(run.weights_file(kind), temporary)
    return sha256_of(path)


def _card(run: StoredRun) -> dict[str, Any]:
    """What made the run and what was measured on it."""
    card: dict[str, Any] = {"stage": run.status.stage, "name": run.status.name, "facts": run.status.facts}
    for name in ("command.json", "measured.json", "verification.json", "denoising.json", "registration.json"):
        path = run.folder / name
        if path.is_file():
            card[path.stem] = json.loads(path.read_text())
    return card
