"""Callbacks of the trainer: progress, scalars and face grids, all counted in the stage's iterations."""

from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import UInt8

from src.data.image_file import write_png
from src.data.levels import to_levels, to_network
from src.faces.grid import image_grid
from src.jobs.steady_bar import SteadyBar
from src.jobs.training_log import DENOISING, IMAGES, REGISTRATION, SCALARS, TrainingLog
from src.stages.diffusion_prior import DiffusionPriorStage
from src.stages.registration import RegistrationStage
from src.stages.stage import Stage


class ProgressBar(pl.Callback):
    """One line a stage: iterations done, time left, the newest losses."""

    def __init__(self, title: str, iterations: int, enabled: bool, every: int) -> None:
        self._title, self._iterations, self._enabled, self._every = title, iterations, enabled, every
        self._bar: SteadyBar | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar at the stage's iteration."""
        assert isinstance(pl_module, Stage)
        hidden = not (self._enabled and trainer.is_global_zero)
        self._bar = SteadyBar(
            total=self._iterations,
            initial=pl_module.iteration,
            desc=self._title,
            disable=hidden,
            mininterval=0.5,
            unit="it",
        )

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Advance the bar."""
        assert isinstance(pl_module, Stage)
        assert self._bar is not None
        if pl_module.iteration % self._every == 0:
            shown = {name: f"{value.item():.3g}" for name, value in list(pl_module.scalars.items())[:3]}
            self._bar.set_postfix(shown, refresh=False)
        self._bar.update(1)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()


class ScalarLog(pl.Callback):
    """Writes the terms of every n-th iteration, averaged over ranks, to `train_log.jsonl` and to the loggers."""

    def __init__(self, folder: Path, every: int) -> None:
        self._log, self._every = TrainingLog(folder / SCALARS), every

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go on behind the checkpoint."""
        _continue(self._log, trainer, pl_module)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Log if it is time."""
        assert isinstance(pl_module, Stage)
        if pl_module.iteration % self._every and pl_module.iteration != 1:
            return
        names = sorted(pl_module.scalars)
        values = torch.stack([pl_module.scalars[name].float() for name in names])
        reduced = trainer.strategy.reduce(values, reduce_op="mean")
        if trainer.is_global_zero:
            terms = dict(zip(names, reduced.tolist(), strict=True))
            if skipped := getattr(getattr(trainer, "datamodule", None), "skipped", 0):
                terms["skipped_images"] = skipped
            shown = {f"train/{name}": value for name, value in terms.items()}
            self._log.write(pl_module.iteration, terms, trainer.loggers, shown)


class FaceGrid(pl.Callback):
    """Restores the same faces again and again: `images/iteration_<n>.png`, and the loggers."""

    def __init__(
        self, folder: Path, hq: UInt8[np.ndarray, "n s s 3"], lq: UInt8[np.ndarray, "n s s 3"], every: int, last: int
    ) -> None:
        self._folder, self._every, self._last = folder / IMAGES, every, last
        self._start = 0
        self._batch = {name: torch.from_numpy(faces.transpose(0, 3, 1, 2).copy()) for name, faces in _pair(hq, lq)}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remember where a checkpoint ended: loggers were shown the grids behind it before."""
        assert isinstance(pl_module, Stage)
        self._start = pl_module.iteration

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Write the grid if it is time."""
        assert isinstance(pl_module, Stage)
        if trainer.is_global_zero and _is_due(pl_module, self._every, self._last):
            self._write(trainer, pl_module)

    def _write(self, trainer: pl.Trainer, stage: Stage) -> None:
        batch = {name: to_network(faces.to(stage.device)) for name, faces in self._batch.items()}
        columns = {name: _rows(to_levels(images)) for name, images in stage.preview(batch).items()}
        grid = image_grid(list(zip(*columns.values(), strict=True)), column_labels=list(columns))
        path = self._folder / f"iteration_{stage.iteration:07d}.png"
        shown = self._start > 0 and path.exists()
        write_png(path, grid)
        for logger in trainer.loggers:
            if hasattr(logger, "log_image") and not shown:
                logger.log_image("train/faces", [grid])


class DenoisingCurve(pl.Callback):
    """Error of a diffusion prior's noise by timestep, on the faces of the grid: `denoising_curve.jsonl`, and the loggers."""

    def __init__(self, folder: Path, hq: UInt8[np.ndarray, "n s s 3"], every: int, last: int) -> None:
        self._log, self._every, self._last = TrainingLog(folder / DENOISING), every, last
        self._faces = torch.from_numpy(hq.transpose(0, 3, 1, 2).copy())

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go on behind the checkpoint."""
        _continue(self._log, trainer, pl_module)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Measure if it is time."""
        if not isinstance(pl_module, DiffusionPriorStage) or not trainer.is_global_zero:
            return
        if _is_due(pl_module, self._every, self._last):
            curve = pl_module.denoising_curve(to_network(self._faces.to(pl_module.device)))
            shown = {f"denoising/mse_t{timestep:04d}": error for timestep, error in curve.items()}
            self._log.write(pl_module.iteration, {"mse": curve}, trainer.loggers, shown)


class RegistrationDiagnostics(pl.Callback):
    """How the registration works on the faces of the grid: `registration.jsonl`, and the loggers."""

    def __init__(
        self, folder: Path, hq: UInt8[np.ndarray, "n s s 3"], lq: UInt8[np.ndarray, "n s s 3"], every: int, last: int
    ) -> None:
        self._log, self._every, self._last = TrainingLog(folder / REGISTRATION), every, last
        self._batch = {name: torch.from_numpy(faces.transpose(0, 3, 1, 2).copy()) for name, faces in _pair(hq, lq)}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go on behind the checkpoint."""
        _continue(self._log, trainer, pl_module)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Measure if it is time."""
        if not isinstance(pl_module, RegistrationStage) or not trainer.is_global_zero:
            return
        if _is_due(pl_module, self._every, self._last):
            batch = {name: to_network(faces.to(pl_module.device)) for name, faces in self._batch.items()}
            numbers = pl_module.diagnostics(batch)
            shown = {f"registration/{name}": value for name, value in numbers.items()}
            self._log.write(pl_module.iteration, numbers, trainer.loggers, shown)


def _is_due(stage: Stage, every: int, last: int) -> bool:
    """Every n-th iteration, never of 0, and after the last one."""
    return stage.iteration == last or (every > 0 and stage.iteration % every == 0)


def _continue(log: TrainingLog, trainer: pl.Trainer, stage: pl.LightningModule) -> None:
    assert isinstance(stage, Stage)
    if trainer.is_global_zero:
        log.continue_from(stage.iteration, trainer.loggers)


def _pair(hq: np.ndarray, lq: np.ndarray) -> list[tuple[str, np.ndarray]]:
    return [("hq", hq), ("lq", lq)]


def _rows(images: torch.Tensor) -> list[np.ndarray]:
    return list(images.permute(0, 2, 3, 1).cpu().numpy())
