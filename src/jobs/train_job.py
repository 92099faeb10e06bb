"""One run: find or train what it builds on, train it, evaluate it, write records."""

import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import torch
from pytorch_lightning.loggers import WandbLogger

from src.checkpoints.files import atomic_path, refuse_unwritable
from src.checkpoints.store import RunStatus, RunStore, StoredRun
from src.config.identity import effective_config, identity, run_name
from src.jobs.bench import metric_context, refuse_missing
from src.jobs.board import print_leaderboard
from src.jobs.completion import evaluation_key, is_evaluated, remember_evaluation
from src.jobs.evaluate_run import Measured, cache_folder, evaluate_run
from src.jobs.failures import write_failure
from src.jobs.find_run import found_or_trained
from src.jobs.fit import use_threads
from src.jobs.guiding_recogniser import guide_sha256
from src.jobs.interruption import STOP, Interrupted, stopped
from src.jobs.prior_evaluation import evaluate_prior
from src.jobs.processes import has_parent, train_upstream
from src.jobs.quiet import quieten
from src.jobs.ranks import is_first_rank, training_device
from src.jobs.record_folders import clear_failure, has_failed
from src.jobs.recording import Provenance, command_line
from src.jobs.recovery_evaluation import evaluate_recovered_embedding
from src.jobs.registration_evaluation import evaluate_registration
from src.jobs.stage_choices import CHOICES
from src.jobs.train_run import train
from src.jobs.training_faults import LostPeerError
from src.jobs.upstream import Upstreams, needed_stages, restores_nothing
from src.jobs.verification import evaluate_landmark_detector, evaluate_recogniser
from src.settings.commands import TrainConfig
from src.tracking.provenance import git_commit
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
    failed = True
    with STOP.caught():
        try:
            _run(config, overrides)
            failed = False
        except Exception as error:
            if has_parent() and not _is_told_by_peer(config, error):
                write_failure(config, overrides, str(error) or type(error).__name__)
            raise
        except Interrupted:
            if is_first_rank():
                print(stopped(config.stage, with_command=not has_parent()), flush=True)
            raise
        finally:
            finish(failed=failed)
    return None


def _is_told_by_peer(config: TrainConfig, error: Exception) -> bool:
    """Whether this process only lost another one, which has recorded why."""
    return isinstance(error, LostPeerError) and has_failed(config, config.label)


def _run(config: TrainConfig, overrides: list[str]) -> None:
    quieten()
    use_threads(config.trainer)
    refuse_unwritable(Path(config.run_store))
    refuse_missing(config.metrics, metric_context(config.metrics, torch.device("cpu"), cache_folder(config)))
    upstreams = Upstreams(config, partial(train_upstream, config, overrides))
    for stage in needed_stages(config):
        upstreams.of(stage)  # what the evaluation needs too, before other ranks start
    ingredients = upstreams.ingredients(config.stage)
    run_identity = identity(effective_config(config), ingredients)
    name = run_name(config, run_identity)
    folder = RunStore(Path(config.run_store)).folder(config.stage, name)
    logger = cache(partial(_logger, config, folder, run_identity, name))
    facts = {"ingredients": ingredients, "command": command_line("src.train", overrides)}
    if licences := upstreams.licences(config.stage):
        facts["licences"] = licences
    status = RunStatus(config.stage, run_identity, name, "running", facts=facts)
    run = found_or_trained(
        config,
        folder,
        status,
        lambda: train(config, folder, status, upstreams, logger()),
        first=is_first_rank(),
    )
    if is_first_rank():
        provenance = _provenance(run, ingredients, guide_sha256(config, upstreams), overrides)
        _evaluate_once(config, run, upstreams, partial(_evaluate, config, run, upstreams, provenance, logger))


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


def _evaluate_once(
    config: TrainConfig, run: StoredRun, upstreams: Upstreams, evaluate: Callable[[], list[Path]]
) -> None:
    """Evaluate unless the same has been done; then print the leaderboard, unless a sweep does."""
    clear_failure(config)
    key = evaluation_key(config, run, upstreams)
    if config.resume and is_evaluated(config, run, key):
        print(f"{config.stage} {run.status.name}: already evaluated", flush=True)
    else:
        remember_evaluation(config, run, key, evaluate())
    if not restores_nothing(config) and not has_parent():
        print_leaderboard(config)


def _evaluate(
    config: TrainConfig,
    run: StoredRun,
    upstreams: Upstreams,
    provenance: Provenance,
    open_logger: Callable[[], WandbLogger | None],
) -> list[Path]:
    """Folders of the records that were written; none of a network that restores nothing."""
    device, logger = training_device(config.trainer), open_logger()
    if restores_nothing(config):
        numbers = _verified(config, run, upstreams, device)
        if logger is not None:
            logger.experiment.summary.update({final_key(name): value for name, value in numbers.items()})
            _log_weights(config, run, logger)
        return []
    measured = evaluate_run(config, run, upstreams, provenance, device)
    if logger is not None:
        log_evaluation(logger.experiment, measured.records, measured.pictures)
        _log_weights(config, run, logger)
    _write_measured(run, measured)
    return [stored.folder for stored in measured.records]


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
