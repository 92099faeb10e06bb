"""Callbacks of the trainer: progress, scalars, face grids and checkpoints, all counted in the stage's iterations."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import UInt8
from tqdm import tqdm

from src.data.image_file import write_png
from src.data.levels import to_levels, to_network
from src.faces.grid import image_grid
from src.stages.diffusion_prior import DiffusionPriorStage
from src.stages.registration import RegistrationStage
from src.stages.stage import Stage


def last_checkpoint(folder: Path) -> Path:
    """Where the newest checkpoint of a run lies."""
    return folder / "checkpoints" / "last.ckpt"


class ProgressBar(pl.Callback):
    """One line a stage: iterations done, time left, the newest losses."""

    def __init__(self, title: str, iterations: int, enabled: bool, every: int) -> None:
        self._title, self._iterations, self._enabled, self._every = title, iterations, enabled, every
        self._bar: tqdm | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar at the stage's iteration."""
        assert isinstance(pl_module, Stage)
        hidden = not (self._enabled and trainer.is_global_zero)
        self._bar = tqdm(
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
        self._path, self._every = folder / "train_log.jsonl", every

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
            self._write(trainer, pl_module.iteration, terms)

    def _write(self, trainer: pl.Trainer, iteration: int, terms: dict[str, float]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as handle:
            handle.write(json.dumps({"iteration": iteration, **terms}) + "\n")
        for logger in trainer.loggers:
            logger.log_metrics(
                {"train/iteration": iteration} | {f"train/{name}": value for name, value in terms.items()}
            )


class FaceGrid(pl.Callback):
    """Restores the same faces again and again: `images/iteration_<n>.png`, and the loggers."""

    def __init__(
        self, folder: Path, hq: UInt8[np.ndarray, "n s s 3"], lq: UInt8[np.ndarray, "n s s 3"], every: int, last: int
    ) -> None:
        self._folder, self._every, self._last = folder / "images", every, last
        self._batch = {name: torch.from_numpy(faces.transpose(0, 3, 1, 2).copy()) for name, faces in _pair(hq, lq)}

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Write the grid if it is time."""
        assert isinstance(pl_module, Stage)
        due = pl_module.iteration == self._last or (self._every and pl_module.iteration % self._every == 0)
        if due and trainer.is_global_zero:
            self._write(trainer, pl_module)

    def _write(self, trainer: pl.Trainer, stage: Stage) -> None:
        batch = {name: to_network(faces.to(stage.device)) for name, faces in self._batch.items()}
        columns = {name: _rows(to_levels(images)) for name, images in stage.preview(batch).items()}
        grid = image_grid(list(zip(*columns.values(), strict=True)), column_labels=list(columns))
        write_png(self._folder / f"iteration_{stage.iteration:07d}.png", grid)
        for logger in trainer.loggers:
            if hasattr(logger, "log_image"):
                logger.log_image("train/faces", [grid])


class DenoisingCurve(pl.Callback):
    """Error of a diffusion prior's noise by timestep, on the faces of the grid: `denoising_curve.jsonl`, and the loggers."""

    def __init__(self, folder: Path, hq: UInt8[np.ndarray, "n s s 3"], every: int, last: int) -> None:
        self._path, self._every, self._last = folder / "denoising_curve.jsonl", every, last
        self._faces = torch.from_numpy(hq.transpose(0, 3, 1, 2).copy())

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Measure if it is time."""
        if not isinstance(pl_module, DiffusionPriorStage) or not trainer.is_global_zero:
            return
        if pl_module.iteration == self._last or (self._every and pl_module.iteration % self._every == 0):
            curve = pl_module.denoising_curve(to_network(self._faces.to(pl_module.device)))
            with self._path.open("a") as handle:
                handle.write(json.dumps({"iteration": pl_module.iteration, "mse": curve}) + "\n")
            for logger in trainer.loggers:
                scalars = {f"denoising/mse_t{timestep:04d}": error for timestep, error in curve.items()}
                logger.log_metrics({"train/iteration": pl_module.iteration} | scalars)


class RegistrationDiagnostics(pl.Callback):
    """How the registration works on the faces of the grid: `registration.jsonl`, and the loggers."""

    def __init__(
        self, folder: Path, hq: UInt8[np.ndarray, "n s s 3"], lq: UInt8[np.ndarray, "n s s 3"], every: int, last: int
    ) -> None:
        self._path, self._every, self._last = folder / "registration.jsonl", every, last
        self._batch = {name: torch.from_numpy(faces.transpose(0, 3, 1, 2).copy()) for name, faces in _pair(hq, lq)}

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Measure if it is time."""
        if not isinstance(pl_module, RegistrationStage) or not trainer.is_global_zero:
            return
        if pl_module.iteration == self._last or (self._every and pl_module.iteration % self._every == 0):
            batch = {name: to_network(faces.to(pl_module.device)) for name, faces in self._batch.items()}
            numbers = pl_module.diagnostics(batch)
            with self._path.open("a") as handle:
                handle.write(json.dumps({"iteration": pl_module.iteration, **numbers}) + "\n")
            for logger in trainer.loggers:
                scalars = {f"registration/{name}": value for name, value in numbers.items()}
                logger.log_metrics({"train/iteration": pl_module.iteration} | scalars)


def _pair(hq: np.ndarray, lq: np.ndarray) -> list[tuple[str, np.ndarray]]:
    return [("hq", hq), ("lq", lq)]


def _rows(images: torch.Tensor) -> list[np.ndarray]:
    return list(images.permute(0, 2, 3, 1).cpu().numpy())


class IterationCheckpoint(pl.Callback):
    """Saves `checkpoints/last.ckpt` every n iterations, to a temporary name first."""

    def __init__(self, folder: Path, every: int) -> None:
        self._path, self._every = last_checkpoint(folder), every

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Save if it is time; all ranks take part."""
        assert isinstance(pl_module, Stage)
        if pl_module.iteration % self._every == 0:
            self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(".last.ckpt.partial")
        trainer.save_checkpoint(temporary)
        if trainer.is_global_zero:
            os.replace(temporary, self._path)
        trainer.strategy.barrier()
