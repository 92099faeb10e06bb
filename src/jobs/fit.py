"""Runs Lightning's trainer over a stage, from a checkpoint if there is one."""

from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger
from pytorch_lightning.strategies import DDPStrategy, Strategy

from src.data.datamodule import FaceDataModule
from src.jobs.callbacks import last_checkpoint
from src.settings.commands import TrainerSettings
from src.stages.stage import Stage


def build_trainer(
    settings: TrainerSettings, *, folder: Path, callbacks: list[pl.Callback], logger: Logger | None
) -> pl.Trainer:
    """A trainer of one pass over the stage's stream; schedules and checkpoints are ours, so Lightning's are off."""
    return pl.Trainer(
        accelerator=settings.accelerator,
        devices=settings.devices,
        num_nodes=settings.num_nodes,
        strategy=_strategy(settings),
        precision=cast(Any, settings.precision),
        max_epochs=1,
        logger=logger or False,
        callbacks=callbacks,
        default_root_dir=folder,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


def _strategy(settings: TrainerSettings) -> str | Strategy:
    if settings.strategy == "auto" and settings.devices * settings.num_nodes == 1:
        return "auto"
    # Two networks with their own steps: each backward leaves the other's parameters unused.
    return DDPStrategy(find_unused_parameters=True)


def use_threads(settings: TrainerSettings) -> None:
    """Limit CPU arithmetic to `trainer.threads` if it is set."""
    if settings.threads:
        torch.set_num_threads(settings.threads)


def fit(trainer: pl.Trainer, stage: Stage, data: FaceDataModule, folder: Path) -> None:
    """Train to the end; continue from `checkpoints/last.ckpt` where it exists."""
    checkpoint = last_checkpoint(folder)
    resumed = str(checkpoint) if checkpoint.is_file() else None
    trainer.fit(stage, datamodule=data, ckpt_path=resumed, weights_only=True)
