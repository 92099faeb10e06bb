"""Find or train: the same command twice trains once, and what differs from an earlier run is told."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from src.checkpoints.run_lock import trained_by_one
from src.checkpoints.store import RunStatus, StoredRun, read_run
from src.config.identity import effective_config
from src.jobs.upstream import CONFIG_FILE
from src.leaderboard.page_config import entries
from src.settings.commands import TrainConfig

_MOST_SHOWN = 6
"""Differences to another run that are printed."""


def found_or_trained(
    config: TrainConfig, folder: Path, status: RunStatus, train: Callable[[], StoredRun], *, first: bool
) -> StoredRun:
    """The finished run of this identity, or what `train` makes of it; of several jobs that ask at once, one trains.

    Args:
        first: whether this is the first process of its job.
    """

    def finished() -> StoredRun | None:
        found = read_run(folder) if config.resume else None
        return found if found is not None and found.is_finished else None

    title = f"{config.stage} {status.name}"
    if (run := finished()) is not None:
        return _told(run, f"{title}: already trained", first)
    if first and not (folder / CONFIG_FILE).exists() and (near := nearest_run(config, folder.parent)):
        print(f"{title}: a new identity; {near}", flush=True)
    with trained_by_one(folder, lambda: finished() is not None, first=first, patience=config.cluster.patience):
        if (run := finished()) is not None:
            return _told(run, f"{title}: trained by another process meanwhile", first)
        return train()


def _told(run: StoredRun, sentence: str, first: bool) -> StoredRun:
    if first:
        print(sentence, flush=True)
    return run


def nearest_run(config: TrainConfig, runs: Path) -> str | None:
    """Which earlier run of the stage has the most in common with the configuration, and what differs; None without any."""
    own = _leaves(effective_config(config))
    differing = {name: _differences(own, settings) for name, settings in _earlier(runs)}
    if not differing:
        return None
    name = min(differing, key=lambda found: len(differing[found]))
    changes = differing[name]
    if not changes:
        return f"{name} has the same settings, and other faces or upstream networks"
    more = f" and {len(changes) - _MOST_SHOWN} more" if len(changes) > _MOST_SHOWN else ""
    return f"it differs from {name} in {', '.join(changes[:_MOST_SHOWN])}{more}"


def _earlier(runs: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and settings of every run in the folder; of those whose settings can be read."""
    for path in sorted(runs.glob(f"*/{CONFIG_FILE}")):
        try:
            settings = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        if isinstance(settings, dict):
            yield path.parent.name, _leaves(settings)


def _leaves(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Values by their path, `cft.training.iterations`."""
    return {".".join(path): value for path, value in entries(settings)}


def _differences(own: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """`cft.training.iterations (600, there 400)`."""
    names = [name for name in sorted({*own, *other}) if own.get(name) != other.get(name)]
    return [f"{name} ({own.get(name, 'unset')}, there {other.get(name, 'unset')})" for name in names]
