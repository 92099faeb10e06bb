"""One run: find or train what it builds on, train it, evaluate it, write records."""

import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import WandbLogger

from src.checkpoints.files import atomic_path
from src.checkpoints.store import RunStatus, RunStore, StoredRun, read_run, write_status
from src.config.identity import arm_label, effective_config, identity, run_name
from src.data import build_source
from src.data.damage import damage_policy
from src.degradation.engine import degrade
from src.jobs.bench import metric_context, refuse_missing
from src.jobs.board import print_leaderboard
from src.jobs.branch_store import branch_store
from src.jobs.build_stage import build_stage
from src.jobs.callbacks import (
    DenoisingCurve,
    FaceGrid,
    IterationCheckpoint,
    ProgressBar,
    RegistrationDiagnostics,
    ScalarLog,
)
from src.jobs.evaluate_run import Measured, cache_folder, evaluate_run
from src.jobs.failures import clear_failure, write_failure
from src.jobs.fit import build_trainer, fit, use_threads
from src.jobs.guiding_recogniser import guide_sha256
from src.jobs.latent_statistics import set_latent_statistics
from src.jobs.prior_evaluation import evaluate_prior
from src.jobs.processes import has_parent, train_upstream
from src.jobs.quiet import quieten
from src.jobs.ranks import training_device
from src.jobs.recording import Provenance, command_line
from src.jobs.recovery_evaluation import evaluate_recovered_embedding
from src.jobs.registration_evaluation import evaluate_registration
from src.jobs.restorations import Faces
from src.jobs.stage_choices import CHOICES, choices
from src.jobs.training_data import code_targets, training_data
from src.jobs.upstream import Upstreams, needed_stages, restores_nothing
from src.jobs.verification import evaluate_landmark_detector, evaluate_recogniser
from src.settings.commands import TrainConfig
from src.stages.latent_vqgan import LatentVqganStage
from src.stages.stage import Stage
from src.tracking.provenance import git_commit, hardware
from src.tracking.wandb_checkpoint import log_checkpoint
from src.tracking.wandb_final import final_key
from src.tracking.wandb_run import finish, lightning_logger, log_evaluation

SYSTEM_OF_STAGE = {
    "vqgan": "vqgan",
    "code_predictor": "codeformer",
    "cft": "codeformer",
    "recogniser": "recogniser",
    "diffusion_prior": "difface",
    "restoration_backbone": "difface",
    "landmark_detector": "landmark_detector",
    "registration": "codeformer_plus_plus",
    "texture_fusion": "codeformer_plus_plus",
    "latent_vqgan": "clr_face",
    "latent_encoder": "clr_face",
    "latent_score": "clr_face",
    "guide_recogniser": "recogniser",
    "identity_recovery": "clr_face",
    "latent_mask": "clr_face",
}
"""W&B tag of a stage: the system that it is a part of."""


def run_job(config: TrainConfig, overrides: list[str]) -> float | None:
    """Train and evaluate one run; in a sweep a failure is recorded before it is raised."""
    try:
        _run(config, overrides)
    except Exception as error:
        if has_parent():
            write_failure(config, overrides, str(error) or type(error).__name__)
        finish(failed=True)
        raise
    finally:
        finish()
    return None


def _run(config: TrainConfig, overrides: list[str]) -> None:
    quieten()
    use_threads(config.trainer)
    refuse_missing(config.metrics, metric_context(config.metrics, torch.device("cpu"), cache_folder(config)))
    upstreams = Upstreams(config, partial(train_upstream, overrides))
    for stage in needed_stages(config):
        upstreams.of(stage)  # what the evaluation needs too, before other ranks start
    ingredients = upstreams.ingredients(config.stage)
    run_identity = identity(effective_config(config), ingredients)
    name = run_name(config, run_identity)
    folder = RunStore(Path(config.run_store)).folder(config.stage, name)
    logger = _logger(config, folder, run_identity, name)
    facts = {"ingredients": ingredients, "command": command_line("src.train", overrides)}
    if licences := upstreams.licences(config.stage):
        facts["licences"] = licences
    status = RunStatus(config.stage, run_identity, name, "running", facts=facts)
    run = train(config, folder, status, upstreams, logger)
    if _is_first_rank():
        provenance = _provenance(run, ingredients, guide_sha256(config, upstreams), overrides)
        _evaluate(config, run, upstreams, provenance, logger)


def _provenance(run: StoredRun, ingredients: dict[str, str], guide: str | None, overrides: list[str]) -> Provenance:
    built_on = {f"upstream/{name}": digest for name, digest in ingredients.items() if name != "data"}
    if guide is not None:
        built_on["guide"] = guide
    chosen = {name: value for name, value in run.status.facts.items() if name in CHOICES}
    return Provenance(
        run.status.name,
        run.status.identity,
        overrides,
        run.status.weights | built_on,
        chosen,
        run.status.facts.get("licences", {}),
    )


def train(
    config: TrainConfig, folder: Path, status: RunStatus, upstreams: Upstreams, logger: WandbLogger | None
) -> StoredRun:
    """Train the run to its end, or return it if it is finished."""
    found = read_run(folder)
    if config.resume and found is not None and found.is_finished:
        print(f"{config.stage} {status.name}: already trained", flush=True)
        return found
    pl.seed_everything(config.seed, workers=True, verbose=False)
    source = build_source(config.data, split="train", size=config.scale.image_size, cache=cache_folder(config))
    stage = build_stage(config, upstreams, source)
    codes, branches = code_targets(config, source, upstreams), branch_store(config, source, upstreams)
    data = training_data(config, source, codes, branches)
    if config.trainer.channels_last:
        cast(Any, stage).to(memory_format=torch.channels_last)
    if _is_first_rank():
        _prepare_folder(config, folder, status)
    trainer = build_trainer(config.trainer, folder=folder, callbacks=_callbacks(config, folder), logger=logger)
    try:
        fit(trainer, stage, data, folder)
    except Exception:
        if _is_first_rank():
            write_status(folder, replace(status, state="failed"))
        raise
    if isinstance(stage, LatentVqganStage):
        faces, damage = config.latent_vqgan.statistics_faces, damage_policy(config.data.on_damaged)
        set_latent_statistics(stage, source, faces, damage=damage, device=training_device(config.trainer))
    return _finish_training(config, folder, status, stage, data.skipped)


def _finish_training(config: TrainConfig, folder: Path, status: RunStatus, stage: Stage, skipped: int) -> StoredRun:
    if not _is_first_rank():
        return StoredRun(folder, status)
    commit, dirty = git_commit()
    facts = status.facts | {"commit": commit, "dirty": dirty, "iteration": stage.iteration, "hardware": hardware()}
    facts |= choices(config, stage) | ({"skipped_images": skipped} if skipped else {})
    written = {"identity": status.identity, "stage": config.stage, "scale": config.scale.name, "commit": commit}
    weights = stage.save_weights(folder / "weights", written)
    return write_status(folder, replace(status, state="finished", weights=weights, facts=facts))


def _prepare_folder(config: TrainConfig, folder: Path, status: RunStatus) -> None:
    if not config.resume:
        (folder / "checkpoints" / "last.ckpt").unlink(missing_ok=True)
        for name in ("train_log.jsonl", "denoising_curve.jsonl", "registration.jsonl"):
            (folder / name).unlink(missing_ok=True)
    write_status(folder, status)
    (folder / "config.json").write_text(json.dumps(effective_config(config), indent=2) + "\n")


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
        IterationCheckpoint(folder, training.checkpoint_every),
    ]


def _shown_faces(config: TrainConfig) -> tuple[Faces, Faces]:
    """The first faces of the validation split, clean and degraded."""
    size, benchmark = config.scale.image_size, config.benchmark
    source = build_source(config.data, split="validation", size=size, cache=cache_folder(config))
    shown = range(min(config.evaluation.shown_faces, len(source)))
    hq = np.stack([source.image(index) for index in shown])
    return hq, np.stack([degrade(hq[i], benchmark.degradation, seed=benchmark.seed, index=i) for i in shown])


def _logger(config: TrainConfig, folder: Path, run_identity: str, name: str) -> WandbLogger | None:
    if config.logger.kind == "none":
        return None
    commit, dirty = git_commit()
    shown = effective_config(config) | {"commit": commit, "dirty": dirty, "label": config.label, "study": config.study}
    return lightning_logger(
        config.logger,
        run_dir=folder,
        run_id=run_identity,
        name=name,
        group=config.study,
        job_type=config.stage,
        config=shown,
        tags=(config.stage, config.scale.name, config.data.kind, SYSTEM_OF_STAGE[config.stage]),
    )


def _is_first_rank() -> bool:
    return (
        int(os.environ.get("LOCAL_RANK", "0")) == 0
        and int(os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0"))) == 0
    )


def _evaluate(
    config: TrainConfig, run: StoredRun, upstreams: Upstreams, provenance: Provenance, logger: WandbLogger | None
) -> None:
    device = training_device(config.trainer)
    if restores_nothing(config):
        numbers = _verified(config, run, upstreams, device)
        if logger is not None:
            logger.experiment.summary.update({final_key(name): value for name, value in numbers.items()})
            _log_weights(config, run, logger)
        return
    measured = evaluate_run(config, run, upstreams, provenance, device)
    clear_failure(config)
    if logger is not None:
        log_evaluation(logger.experiment, measured.records, measured.pictures)
        _log_weights(config, run, logger)
    _write_measured(run, measured)
    if not has_parent():
        print_leaderboard(config)


def _verified(config: TrainConfig, run: StoredRun, upstreams: Upstreams, device: torch.device) -> dict[str, float]:
    """Numbers of a network that restores nothing."""
    if config.stage in ("recogniser", "guide_recogniser"):
        return evaluate_recogniser(config, run, device)
    if config.stage == "identity_recovery":
        return evaluate_recovered_embedding(config, run, upstreams, device)
    if config.stage == "landmark_detector":
        return evaluate_landmark_detector(config, run, device)
    if config.stage == "registration":
        return evaluate_registration(config, run, upstreams, device)
    return evaluate_prior(config, run, device)


def _log_weights(config: TrainConfig, run: StoredRun, logger: WandbLogger) -> None:
    about = {"stage": config.stage, "arm": config.label, "seed": config.seed}
    upload = config.logger.checkpoint
    log_checkpoint(logger.experiment, run.folder / "weights", run.status.name, upload=upload, metadata=about)


def _write_measured(run: StoredRun, measured: Measured) -> None:
    """The numbers once more beside the weights, for the card of a bundled checkpoint."""
    path = run.folder / "measured.json"
    numbers = json.loads(path.read_text()) if path.is_file() else {}
    for stored in measured.records:
        # Folders tell benchmarks apart, on which a run may be measured one after the other.
        where = "/".join(stored.folder.parts[stored.folder.parts.index("records") + 1 :])
        numbers[where] = {name: metric.value for name, metric in stored.record.metrics.items()}
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(numbers, indent=2) + "\n")
