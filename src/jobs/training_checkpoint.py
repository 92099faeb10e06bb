"""Saves checkpoints every n iterations, and when a signal asks the training to end."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import distributed

from src.jobs.checkpoint_files import last_checkpoint
from src.jobs.interruption import INTERRUPTED, STOP, Interrupted
from src.settings.errors import UserError
from src.stages.stage import Stage


class TrainingCheckpoint(pl.Callback):
    """Saves `checkpoints/last.ckpt` after every n-th iteration; after a signal at the end of the iteration, and ends there.

    A signal may reach one rank only, so ranks tell each other after every iteration: one integer by gloo, which waits for
    no device, while hosts keep step with each other anyway. It is also by this that a rank learns at once that another one
    has died. Has to be the last callback, so that what the others write of an iteration is there before its checkpoint.

    `patience` is in seconds: a rank that lets the others wait for longer is given up.
    """

    def __init__(self, folder: Path, every: int, *, patience: int) -> None:
        self._path, self._every, self._patience = last_checkpoint(folder), every, timedelta(seconds=patience)
        self._ranks: Any = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Meet the other ranks; take the signals, of which Lightning has taken some before."""
        assert isinstance(pl_module, Stage)
        if trainer.world_size > 1:
            # A group does not inherit the time that the strategy was given.
            self._ranks = distributed.new_group(backend="gloo", timeout=self._patience)
            self._require_one_start(pl_module.iteration)
        STOP.defer()

    def _require_one_start(self, iteration: int) -> None:
        starts: list[Any] = [None] * distributed.get_world_size()
        distributed.all_gather_object(starts, iteration, group=self._ranks)
        if len(set(starts)) > 1:
            raise UserError(
                f"run_store: {self._path} gives the processes of this training different iterations to go on from "
                f"({', '.join(map(str, starts))}); choose a folder that all machines share"
            )

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Save if it is time, and end the training if a signal has asked any rank for it; all ranks take part."""
        assert isinstance(pl_module, Stage)
        ends = self._asked_to_end()
        if ends or pl_module.iteration % self._every == 0:
            trainer.save_checkpoint(self._path)
        if ends:
            # A launcher that sees another rank fail kills the first one, which still has to write its status.
            raise Interrupted(INTERRUPTED if trainer.is_global_zero else 0)

    def _asked_to_end(self) -> bool:
        asked = STOP.received is not None
        if self._ranks is None:  # a single one
            return asked
        flag = torch.tensor([asked], dtype=torch.int32)
        distributed.all_reduce(flag, op=distributed.ReduceOp.MAX, group=self._ranks)
        return bool(flag)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """From here on a signal ends the process at once."""
        STOP.at_once()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """As `on_train_end`."""
        STOP.at_once()
