"""Training of one run: from its last checkpoint to its weights."""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import WandbLogger

from src.checkpoints.files import UnwrittenFileError, atomic_path
from src.checkpoints.store import RunStatus, StoredRun, write_status
from src.config.identity import arm_label, effective_config
from src.data import build_source
from src.data.damage import damage_policy
from src.degradation.engine import degrade
from src.jobs.branch_store import branch_store
from src.jobs.build_stage import build_stage
from src.jobs.callbacks import (
    DenoisingCurve,
    FaceGrid,
    ProgressBar,
    RegistrationDiagnostics,
    ScalarLog,
)
from src.jobs.evaluate_run import cache_folder
from src.jobs.fit import build_trainer, fit
from src.jobs.interruption import Interrupted
from src.jobs.latent_statistics import set_latent_statistics
from src.jobs.ranks import is_first_rank, training_device
from src.jobs.restorations import Faces
from src.jobs.stage_choices import choices
from src.jobs.training_checkpoint import TrainingCheckpoint
from src.jobs.training_data import code_targets, training_data
from src.jobs.training_start import Start, find_start, forget_training, lost_checkpoints, set_aside
from src.jobs.upstream import Upstreams
from src.networks.recomputation import recompute_activations
from src.settings.commands import TrainConfig
from src.settings.errors import UserError
from src.stages.latent_vqgan import LatentVqganStage
from src.stages.stage import Stage
from src.tracking.provenance import git_commit, hardware


def train(
    config: TrainConfig, folder: Path, status: RunStatus, upstreams: Upstreams, logger: WandbLogger | None
) -> StoredRun:
    """Train the run to its end, from its last checkpoint if there is one."""
    pl.seed_everything(config.seed, workers=True, verbose=False)
    source = build_source(config.data, split="train", size=config.scale.image_size, cache=cache_folder(config))
    stage = build_stage(config, upstreams, source)
    _recompute(stage, config.trainer.recomputed_resolutions)
    codes, branches = code_targets(config, source, upstreams), branch_store(config, source, upstreams)
    data = training_data(config, source, codes, branches)
    if config.trainer.channels_last:
        cast(Any, stage).to(memory_format=torch.channels_last)
    start = find_start(folder, stage) if config.resume else Start()
    if is_first_rank():
        if config.resume:
            status = replace(status, facts=status.facts | lost_checkpoints(folder, start))
        _prepare_folder(config, folder, status, start)
    trainer = build_trainer(
        config.trainer,
        patience=config.cluster.patience,
        folder=folder,
        callbacks=_callbacks(config, folder),
        logger=logger,
    )
    try:
        fit(trainer, stage, data, start)
    except Interrupted:
        if is_first_rank():
            write_status(folder, replace(status, state="interrupted"))
        raise
    except Exception:
        if is_first_rank():
            # A full disk that ended the training refuses this too, which must not hide the reason.
            with suppress(UnwrittenFileError):
                write_status(folder, replace(status, state="failed"))
        raise
    if isinstance(stage, LatentVqganStage):
        faces, damage = config.latent_vqgan.statistics_faces, damage_policy(config.data.on_damaged)
        set_latent_statistics(stage, source, faces, damage=damage, device=training_device(config.trainer))
    return _finish_training(config, folder, status, stage, data.skipped)


def _recompute(stage: Stage, resolutions: int) -> None:
    if resolutions and not recompute_activations(stage, resolutions):
        raise UserError(
            f"trainer.recomputed_resolutions: {resolutions}, and stage {stage.kind} has no blocks that can be made again; "
            "leave it at 0"
        )


def _finish_training(config: TrainConfig, folder: Path, status: RunStatus, stage: Stage, skipped: int) -> StoredRun:
    if not is_first_rank():
        return StoredRun(folder, status)
    commit, dirty = git_commit()
    facts = status.facts | {"commit": commit, "dirty": dirty, "iteration": stage.iteration, "hardware": hardware()}
    facts |= choices(config, stage) | ({"skipped_images": skipped} if skipped else {})
    written = {"identity": status.identity, "stage": config.stage, "scale": config.scale.name, "commit": commit}
    weights = stage.save_weights(folder / "weights", written)
    return write_status(folder, replace(status, state="finished", weights=weights, facts=facts))


def _prepare_folder(config: TrainConfig, folder: Path, status: RunStatus, start: Start) -> None:
    if config.resume:
        set_aside(start)
    else:
        forget_training(folder)
    write_status(folder, status)
    with atomic_path(folder / "config.json") as temporary:
        temporary.write_text(json.dumps(effective_config(config), indent=2) + "\n")


def _callbacks(config: TrainConfig, folder: Path) -> list[pl.Callback]:
    training, trainer = getattr(config, config.stage).training, config.trainer
    title = config.stage if arm_label(config) == config.stage else f"{config.stage} {config.label}"
    hq, lq = _shown_faces(config)
    shown: list[pl.Callback] = [FaceGrid(folder, hq, lq, trainer.images_every, training.iterations)]
    if config.stage == "diffusion_prior":
        shown.append(DenoisingCurve(folder, hq, trainer.images_every, training.iterations))
    if config.stage == "registration":
        shown.append(RegistrationDiagnostics(folder, hq, lq, trainer.images_every, training.iterations))
    return [
        ProgressBar(title, training.iterations, trainer.progress, trainer.log_every),
        ScalarLog(folder, trainer.log_every),
        *shown,
        TrainingCheckpoint(folder, training.checkpoint_every, patience=config.cluster.patience),
    ]


def _shown_faces(config: TrainConfig) -> tuple[Faces, Faces]:
    """The first faces of the validation split, clean and degraded."""
    size, benchmark = config.scale.image_size, config.benchmark
    source = build_source(config.data, split="validation", size=size, cache=cache_folder(config))
    shown = range(min(config.evaluation.shown_faces, len(source)))
    hq = np.stack([source.image(index) for index in shown])
    return hq, np.stack([degrade(hq[i], benchmark.degradation, seed=benchmark.seed, index=i) for i in shown])
