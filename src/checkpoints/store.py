"""The run store: one folder a run, found again by stage and identity. Imports no torch."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from src.checkpoints.files import atomic_path
from src.checkpoints.plain_files import read_json
from src.checkpoints.stamps import later_stamp
from src.settings.errors import UserError

BUNDLED = Path(__file__).parent / "bundled"
"""Small checkpoints that come with the repository, in the layout of a run store."""

STATUS_FILE = "status.json"


@dataclass(frozen=True)
class RunStatus:
    """What `status.json` of a run folder says."""

    stage: str
    identity: str
    name: str
    state: str
    """`running`, `interrupted` (a signal ended it; the same command goes on), `finished` or `failed`."""
    weights: dict[str, str] = field(default_factory=dict)
    """SHA-256 by kind of network."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Hashes of the upstream networks, the data and the names of what was chosen automatically."""
    updated: str = ""


@dataclass(frozen=True)
class StoredRun:
    """A run folder and its status."""

    folder: Path
    status: RunStatus

    def weights_file(self, kind: str) -> Path:
        """Path of the weights of one kind of network.

        Raises:
            UserError: the run has none.
        """
        path = self.folder / "weights" / f"{kind}.safetensors"
        if not path.is_file():
            raise UserError(
                f"{path}: this run of stage {self.status.stage} has no {kind} weights; choose a finished run or delete "
                "the folder so that it is trained again"
            )
        return path

    @property
    def is_finished(self) -> bool:
        """True after training ended and the weights were written."""
        return self.status.state == "finished"


def read_run(folder: Path) -> StoredRun | None:
    """The run in `folder`, or None if it holds no readable status."""
    try:
        return StoredRun(folder, RunStatus(**read_json(folder / STATUS_FILE)))
    except (OSError, ValueError, TypeError):
        return None


def write_status(folder: Path, status: RunStatus) -> StoredRun:
    """Write `status.json` atomically, with a time behind that of every other run of the stage."""
    others = (run.status.updated for run in _runs(folder.parent))
    stamped = replace(status, updated=later_stamp(others))
    with atomic_path(folder / STATUS_FILE) as temporary:
        temporary.write_text(json.dumps(asdict(stamped), indent=2, sort_keys=True) + "\n")
    return StoredRun(folder, stamped)


def _runs(folder: Path) -> Iterator[StoredRun]:
    """The runs of one stage."""
    found = (read_run(path.parent) for path in folder.glob(f"*/{STATUS_FILE}"))
    return (run for run in found if run is not None)


@dataclass(frozen=True)
class RunStore:
    """Folder of all runs: `<root>/<stage>/<run name>/`."""

    root: Path

    def folder(self, stage: str, name: str) -> Path:
        """Where the run of that stage and name lives."""
        return self.root / stage / name

    def find(self, stage: str, identity: str) -> StoredRun | None:
        """The newest finished run with this identity."""
        runs = _runs(self.root / stage)
        fitting = [run for run in runs if run.is_finished and run.status.identity == identity]
        return max(fitting, key=lambda run: run.status.updated, default=None)
