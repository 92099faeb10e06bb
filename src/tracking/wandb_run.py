"""The Weights & Biases view of a run: where it is written, what names it, and how its axes are named.

Records are the truth (`src/tracking/records.py`); nothing here is read back.
"""

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from src.settings.commands import LoggerSettings
from src.settings.errors import UserError
from src.tracking.provenance import git_commit
from src.tracking.records import StoredRecord
from src.tracking.wandb_final import (
    BENCHMARK_HASH,
    FACES_PICTURE,
    FACES_TABLE,
    Pictures,
    faces_picture,
    faces_table,
    final_numbers,
)
from src.tracking.wandb_login import account_is_configured
from src.tracking.wandb_segments import mark_unsent

if TYPE_CHECKING:
    from pytorch_lightning.loggers import WandbLogger

ITERATION = "train/iteration"
"""X-axis of all curves: Lightning's own step counts optimiser steps, two an iteration in GAN stages."""
EVALUATE = "evaluate"
"""Job type of evaluations; that of a training run is its stage."""

_MODES = ("auto", "online", "offline")
_CONNECT_SECONDS = 30.0
_FINISH_SECONDS = 600.0
"""How long the end of a run waits for a server that takes nothing any more; what it has not taken stays on this disk."""
_LONGEST_TAG = 64


def wandb_mode(settings: LoggerSettings) -> Literal["online", "offline"]:
    """Where a run goes; `auto` is online only with an API key (environment or netrc), unless WANDB_MODE says otherwise.

    Raises:
        UserError: an unknown mode, or `online` without an API key (wandb would stop and ask).
    """
    if settings.mode not in _MODES:
        raise UserError(f"logger.mode: {settings.mode!r} is not one of {', '.join(_MODES)}")
    account = account_is_configured()
    if settings.mode == "online" and not account:
        raise UserError("logger.mode: 'online' needs an account; run `wandb login`, or take logger.mode=offline")
    forced_offline = os.environ.get("WANDB_MODE", "online") != "online"
    if settings.mode == "offline" or not account or (settings.mode == "auto" and forced_offline):
        return "offline"
    return "online"


def lightning_logger(
    settings: LoggerSettings,
    *,
    run_dir: Path,
    run_id: str,
    name: str,
    group: str,
    job_type: str,
    config: dict,
    tags: Sequence[str] = (),
) -> "WandbLogger":
    """A started W&B run for Lightning, written below `run_dir/wandb`; the caller calls `finish()` in a `finally`.

    An unreachable server costs a warning, not the run: it continues offline and is sent later by
    `python -m src.leaderboard sync`.

    Args:
        run_id: W&B id, from the run's identity, so that a continued run keeps its page.
        group: the study.
        job_type: the stage.
        config: the resolved configuration with the seed; commit and dirty flag are added where it lacks them.
        tags: few and of a fixed vocabulary (stage, scale, kind of data, restorer); `settings.tags` follow.
    """
    from pytorch_lightning.loggers import WandbLogger
    from pytorch_lightning.utilities import rank_zero_only

    mode = wandb_mode(settings)
    _keep_files_beside(run_dir)
    run = None
    if not getattr(rank_zero_only, "rank", 0):
        run = _started(mode, settings, run_dir, _about(settings, run_id, name, group, job_type, config, tags))
    return WandbLogger(experiment=run, project=settings.project, id=run_id, name=name, save_dir=str(run_dir))


@contextmanager
def evaluation_run(
    settings: LoggerSettings,
    *,
    folder: Path,
    run_id: str,
    name: str,
    group: str,
    config: dict,
    tags: Sequence[str] = (),
) -> Iterator[Any]:
    """A W&B run of job type `evaluate`, written below `folder/wandb` and finished whatever happens.

    Yields None where `settings.kind` is `none`. Arguments are those of `lightning_logger`. Inside, call `log_evaluation`.
    """
    if settings.kind == "none":
        yield None
        return
    mode = wandb_mode(settings)
    _keep_files_beside(folder)
    run = _started(mode, settings, folder, _about(settings, run_id, name, group, EVALUATE, config, tags))
    failed = True
    try:
        yield run
        failed = False
    finally:
        finish(failed=failed)


def finish(*, failed: bool = False) -> None:
    """End the W&B run of this process, if there is one: a second logger would write into it (conventions.md 5.2).

    A server that has gone away meanwhile costs a warning, and the run can be sent later.
    """
    wandb = sys.modules.get("wandb")
    run = None if wandb is None else wandb.run
    if run is None:
        return
    folder = Path(run.settings.sync_dir)
    try:
        run.finish(exit_code=1 if failed else 0)
    except TimeoutError:
        mark_unsent(folder)
        warnings.warn(
            f"W&B did not take all of the run within {_FINISH_SECONDS:.0f} s; it is kept, {_send_later(folder)}",
            stacklevel=2,
        )


def log_evaluation(run: Any, records: Sequence[StoredRecord], images: Pictures) -> None:
    """Write the final numbers of an evaluation into the summary, and its fixed faces as a table and as a picture.

    Keys are those of `wandb_final.final_key`: `final/psnr@w0_5`, `final/psnr@input` for a baseline. The configuration gets
    the benchmark's hash, by which runs that must not be compared can be told apart.

    Args:
        run: a W&B run (`WandbLogger.experiment`).
        images: by face name, then by column in the order in which they are shown (LQ, one a fidelity, HQ); uint8 RGB.
    """
    if records:
        run.config.update({BENCHMARK_HASH: records[0].record.benchmark.get("hash")}, allow_val_change=True)
    for key, value in final_numbers(records).items():
        run.summary[key] = value
    if images:
        picture = faces_picture(images)
        run.log({FACES_TABLE: faces_table(records, images)} | ({} if picture is None else {FACES_PICTURE: picture}))


def _about(
    settings: LoggerSettings, run_id: str, name: str, group: str, job_type: str, config: dict, tags: Sequence[str]
) -> dict[str, Any]:
    commit, dirty = git_commit()
    wanted = dict.fromkeys(tag.strip()[:_LONGEST_TAG] for tag in [*tags, *settings.tags] if tag.strip())
    return {
        "id": run_id,
        "name": name,
        "group": group,
        "job_type": job_type,
        "tags": list(wanted),
        "config": {"commit": commit, "dirty": dirty} | config,
    }


def _started(mode: Literal["online", "offline"], settings: LoggerSettings, run_dir: Path, about: dict[str, Any]) -> Any:
    import wandb

    try:
        run = _initialised(mode, settings, run_dir, about)
    except wandb.errors.Error as error:
        if mode == "offline":
            raise
        # The service that failed still holds the run's id.
        wandb.teardown()
        warnings.warn(
            f"W&B did not answer ({str(error).strip().splitlines()[0]}); the run continues offline, "
            f"{_send_later(run_dir)}",
            stacklevel=4,
        )
        run = _initialised("offline", settings, run_dir, about)
    run.define_metric(ITERATION)
    run.define_metric("train/*", step_metric=ITERATION)
    run.define_metric("val/*", step_metric=ITERATION)
    return run


def _send_later(folder: Path) -> str:
    return f"send it later with `python -m src.leaderboard sync runs={folder}`"


def _initialised(
    mode: Literal["online", "offline"], settings: LoggerSettings, run_dir: Path, about: dict[str, Any]
) -> Any:
    import wandb

    return wandb.init(
        **about,
        project=settings.project,
        entity=settings.entity,
        dir=str(run_dir),
        mode=mode,
        resume="allow",
        settings=wandb.Settings(
            silent=True,
            init_timeout=_CONNECT_SECONDS,
            finish_timeout=_FINISH_SECONDS,
            finish_timeout_raises=True,
        ),
    )


def _keep_files_beside(run_dir: Path) -> None:
    """Tables are staged outside the run's folder by default, and are lost when only that folder is copied."""
    run_dir = run_dir.resolve()
    folder = run_dir / "wandb"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["WANDB_DIR"] = str(run_dir)
    os.environ["WANDB_DATA_DIR"] = str(folder / "data")
    os.environ["WANDB_CACHE_DIR"] = str(folder / "cache")
    os.environ["WANDB_SILENT"] = "true"
