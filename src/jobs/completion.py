"""Whether a run has been evaluated already, under the same settings, code, packages and weights. Imports no torch."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from src.checkpoints.catalogue import CATALOGUE, find_weights
from src.checkpoints.files import atomic_path, sha256_of
from src.checkpoints.store import RunStore, StoredRun, read_run
from src.config.identity import effective_config, identity, run_name
from src.jobs.upstream import Upstreams, needed_stages, network_hash
from src.settings.commands import TrainConfig
from src.settings.errors import UserError
from src.tracking.records import RECORD_NAME

EVALUATED_FILE = "evaluated.json"
"""In the run's folder: for every evaluation, the records that it wrote and their hashes."""
_SOURCES = Path(__file__).resolve().parents[1]
_CHANGE_NO_NUMBER = ("trainer", "cluster", "run_store", "resume")
"""Parts of the configuration beside the precision, which the run's identity holds."""


def evaluation_key(config: TrainConfig, run: StoredRun, upstreams: Upstreams) -> str:
    """Hash of all that an evaluation of the run depends on, with where it is logged.

    Files of the metrics and of a benchmark count by size and time: to read them all would take as long as to evaluate.
    """
    settings = {name: value for name, value in asdict(config).items() if name not in _CHANGE_NO_NUMBER}
    weights = {name: _stamp(find_weights(name, config.metrics.weights_dir)) for name in CATALOGUE}
    networks = {stage: network_hash(upstreams.of(stage)) for stage in needed_stages(config)}
    known = [
        run.status.identity,
        run.status.weights,
        settings,
        weights,
        networks,
        _benchmark(config),
        _code(),
        _packages(),
    ]
    return hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()


def _stamp(path: Path | None) -> tuple[int, int] | None:
    if path is None:
        return None
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


def _benchmark(config: TrainConfig) -> list[tuple[str, tuple[int, int] | None]]:
    """The files of a benchmark on disk; none of one that is degraded anew each time."""
    if config.benchmark.root is None:
        return []
    root = Path(config.benchmark.root)
    return [(str(path.relative_to(root)), _stamp(path)) for path in sorted(root.rglob("*")) if path.is_file()]


@cache
def _code() -> str:
    """Hash of the suite's own sources."""
    digest = hashlib.sha256()
    for path in sorted(_SOURCES.rglob("*.py")):
        digest.update(f"{path.relative_to(_SOURCES)}:{sha256_of(path)}\n".encode())
    return digest.hexdigest()


@cache
def _packages() -> tuple[str, ...]:
    return tuple(sorted(f"{found.name} {found.version}" for found in metadata.distributions()))


def remember_evaluation(config: TrainConfig, run: StoredRun, key: str, records: Sequence[Path]) -> None:
    """Keep which records (folders) an evaluation of the run has written."""
    store = Path(config.run_store).resolve()
    hashes = {str(folder.resolve().relative_to(store)): sha256_of(folder / RECORD_NAME) for folder in records}
    with atomic_path(run.folder / EVALUATED_FILE) as temporary:
        temporary.write_text(json.dumps(_evaluations(run) | {key: hashes}, indent=2) + "\n")


def is_evaluated(config: TrainConfig, run: StoredRun, key: str) -> bool:
    """Whether that evaluation was done and its records are as it left them."""
    hashes = _evaluations(run).get(key)
    if not isinstance(hashes, dict):
        return False
    return all(_unchanged(Path(config.run_store) / folder / RECORD_NAME, digest) for folder, digest in hashes.items())


def _evaluations(run: StoredRun) -> dict[str, Any]:
    try:
        found = json.loads((run.folder / EVALUATED_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _unchanged(path: Path, digest: str) -> bool:
    try:
        return sha256_of(path) == digest
    except OSError:
        return False


def completed_run(config: TrainConfig) -> StoredRun | None:
    """The run of this configuration, if it is trained and evaluated; looks everything up and starts nothing."""
    if not config.resume:
        return None
    upstreams = Upstreams(config, _refuse)
    try:
        for stage in needed_stages(config):
            upstreams.of(stage)
        found = identity(effective_config(config), upstreams.ingredients(config.stage))
    except UserError:
        return None
    run = read_run(RunStore(Path(config.run_store)).folder(config.stage, run_name(config, found)))
    if run is None or not run.is_finished:
        return None
    return run if is_evaluated(config, run, evaluation_key(config, run, upstreams)) else None


def _refuse(stage: str, seed: int) -> None:
    raise UserError(f"upstream.{stage}: no run with seed {seed}")
