"""Copies a finished run into the checkpoints that come with the repository."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from src.checkpoints.files import atomic_path
from src.checkpoints.network_file import load_network, save_network
from src.checkpoints.store import RunStore, StoredRun, read_run, write_status
from src.settings.errors import UserError

CARD = "card.json"


def bundle_run(folder: Path, bundled: Path) -> Path:
    """Store the run's networks in half precision under `bundled`, with its status and a card; return the new folder.

    The identity stays that of the run, so that `upstream: auto` finds it; the hashes are those of the new files.

    Raises:
        UserError: `folder` holds no finished run.
    """
    run = read_run(folder)
    if run is None or not run.is_finished:
        raise UserError(f"{folder}: holds no finished run; give a folder such as runs/vqgan/<name>")
    target = RunStore(bundled).folder(run.status.stage, run.status.name)
    weights = {kind: _halve(run, kind, target) for kind in run.status.weights}
    with atomic_path(target / CARD) as temporary:
        temporary.write_text(json.dumps(_card(run), indent=2) + "\n")
    write_status(target, replace(run.status, weights=weights))
    return target


def _halve(run: StoredRun, kind: str, target: Path) -> str:
    loaded = load_network(run.weights_file(kind))
    path = target / "weights" / f"{kind}.safetensors"
    return save_network(path, loaded.kind, loaded.network, loaded.settings, loaded.facts, half=True)


def _card(run: StoredRun) -> dict[str, Any]:
    """What made the run and what was measured on it."""
    card: dict[str, Any] = {"stage": run.status.stage, "name": run.status.name, "facts": run.status.facts}
    for name in ("command.json", "measured.json", "verification.json", "denoising.json", "registration.json"):
        path = run.folder / name
        if path.is_file():
            card[path.stem] = json.loads(path.read_text())
    return card
