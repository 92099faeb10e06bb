"""Runs Lightning's trainer over a stage, from a checkpoint if there is one."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger
from pytorch_lightning.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from pytorch_lightning.strategies import DDPStrategy, Strategy

from src.data.datamodule import FaceDataModule
from src.jobs.checkpoint_files import CheckpointFiles
from src.jobs.training_faults import told_faults
from src.jobs.training_start import Start
from src.settings.commands import TrainerSettings
from src.stages.stage import Stage


def build_trainer(
    settings: TrainerSettings, *, patience: int, folder: Path, callbacks: list[pl.Callback], logger: Logger | None
) -> pl.Trainer:
    """A trainer of one pass over the stage's stream; schedules and checkpoints are ours, so Lightning's are off.

    Args:
        patience: seconds that the processes wait for one another.
    """
    return pl.Trainer(
        accelerator=settings.accelerator,
        devices=settings.devices,
        num_nodes=settings.num_nodes,
        strategy=_strategy(settings, timedelta(seconds=patience)),
        precision=cast(Any, settings.precision),
        max_epochs=1,
        logger=logger or False,
        callbacks=callbacks,
        plugins=[CheckpointFiles(), cluster_environment()],
        # Under SLURM, Lightning resumes from any hpc_ckpt_* that it finds there: a folder that is never made has none.
        default_root_dir=folder / "lightning",
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


def _strategy(settings: TrainerSettings, patience: timedelta) -> str | Strategy:
    if settings.strategy == "auto" and settings.devices * settings.num_nodes == 1:
        return "auto"
    # Two networks with their own steps: each backward leaves the other's parameters unused.
    return DDPStrategy(find_unused_parameters=True, timeout=patience)


def use_threads(settings: TrainerSettings) -> None:
    """Limit CPU arithmetic to `trainer.threads` if it is set."""
    if settings.threads:
        torch.set_num_threads(settings.threads)


def cluster_environment() -> ClusterEnvironment:
    """Who has started the processes of this training: torchrun, SLURM, or whoever sets `RANK`; else Lightning starts them.

    Lightning knows LSF and MPI too. Here they are nobody: `is_first_rank` and the lease of the run would take each of their
    processes for a job of its own, so that all but one would wait for it instead of training with it. Lightning never
    requeues a SLURM job: one owner of that is enough, and that is submitit (conventions.md 2.6).
    """
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment()
    placed = "RANK" in os.environ
    if not placed and SLURMEnvironment.detect():
        return SLURMEnvironment(auto_requeue=False)
    return LightningEnvironment()


def fit(trainer: pl.Trainer, stage: Stage, data: FaceDataModule, start: Start) -> None:
    """Train to the end, from `start` on; raises what `told_faults` does."""
    with told_faults():
        trainer.fit(stage, datamodule=data, ckpt_path=start.checkpoint, weights_only=True)
