"""Where a training begins: at its newest sound checkpoint, at the one before it, or at the beginning."""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from src.checkpoints.store import read_run
from src.jobs.checkpoint_files import UnsoundCheckpointError, checked_iteration, last_checkpoint, previous_checkpoint
from src.jobs.training_log import IMAGES, LOGS, told_file
from src.stages.stage import Stage

LOST = "unsound_checkpoints"
"""Fact of a run: a sentence on every time that checkpoints were unsound."""


@dataclass(frozen=True)
class Start:
    """What a training is continued from."""

    checkpoint: Path | None = None
    """None: it starts at the beginning."""
    iteration: int = 0
    unsound: tuple[tuple[Path, str], ...] = ()
    """Checkpoints that were passed over, and why."""

    @property
    def told(self) -> str | None:
        """One sentence on what was passed over, and what happens instead."""
        if not self.unsound:
            return None
        found = "; ".join(f"{path.name} cannot be used ({reason})" for path, reason in self.unsound)
        instead = "starts from the beginning" if self.checkpoint is None else f"goes on from iteration {self.iteration}"
        return f"{self.unsound[0][0].parent}: {found}; the training {instead}"


def find_start(folder: Path, stage: Stage) -> Start:
    """The newest checkpoint in a run's folder from which `stage` can be continued.

    All ranks find the same: none is written before all have begun, and `set_aside` makes missing what is unsound.

    Raises:
        UserError: the disk refuses to read one.
    """
    unsound: list[tuple[Path, str]] = []
    for path in (last_checkpoint(folder), previous_checkpoint(folder)):
        try:
            return Start(path, checked_iteration(path, stage), tuple(unsound))
        except UnsoundCheckpointError as error:
            unsound.append((path, str(error)))
        except FileNotFoundError:
            continue
    return Start(unsound=tuple(unsound))


def lost_checkpoints(folder: Path, start: Start) -> dict[str, list[str]]:
    """Fact of the run in `folder`: what was passed over, now and when it was continued before; empty if nothing was."""
    found = read_run(folder)
    earlier = [] if found is None else found.status.facts.get(LOST, [])
    sentences = [*earlier, *([] if start.told is None else [start.told])]
    return {LOST: sentences} if sentences else {}


def set_aside(start: Start) -> None:
    """Rename what is unsound, so that it can be looked at and does not become the one before the next checkpoint; say so."""
    if start.told is not None:
        print(start.told, flush=True)
    for path, _ in start.unsound:
        with suppress(FileNotFoundError):
            os.replace(path, path.with_name(f"{path.name}.unsound"))


def forget_training(folder: Path) -> None:
    """Remove the checkpoints, grids and logs of a run that is trained anew."""
    shutil.rmtree(last_checkpoint(folder).parent, ignore_errors=True)
    shutil.rmtree(folder / IMAGES, ignore_errors=True)
    for name in LOGS:
        (folder / name).unlink(missing_ok=True)
        told_file(folder / name).unlink(missing_ok=True)
