"""A sweep: every job composed and checked first, upstream stages trained once, one fresh process a job, then the leaderboard.

Ranks of a multi-GPU job re-run the command line; a sweep inside the training process would make every rank start the whole
sweep again (conventions.md 2.5), hence the child processes. Imports no torch.
"""

import math
import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from src.checkpoints.files import refuse_unwritable
from src.config.command import friendly_errors
from src.config.validate_cluster import check_launcher
from src.jobs.completion import completed_run
from src.jobs.dry_run import print_plan
from src.jobs.processes import has_parent, launch_upstream, place_in_job, run_training
from src.jobs.record_folders import clear_failure, has_failed
from src.jobs.sweep_plan import RECIPE_OF_BENCHMARK, Progress, composed, label_of, labelled, plan, shared_overrides
from src.jobs.upstream import Upstreams, needed_stages, restores_nothing
from src.settings.cluster import LOCAL, SLURM
from src.settings.commands import TrainConfig


def launch_job(config: TrainConfig, overrides: list[str], number: int) -> float:
    """Run one job of the sweep in a fresh process; a failure becomes a record and NaN, and the sweep goes on.

    Of several processes that are one job, on one machine or more, the first one speaks and records.
    """
    from src.jobs.objective import read_objective

    label = label_of(config, overrides)
    first = _is_first(config)
    if first:
        places = [text for text in overrides if text not in shared_overrides() and text.startswith(RECIPE_OF_BENCHMARK)]
        print(f"\n[{number + 1}/{len(Progress().jobs)}] {' '.join([label, *places])}{_time_left(number)}", flush=True)
        clear_failure(replace(config, label=label))
    if config.cluster.kind == LOCAL and completed_run(replace(config, label=label)):
        print(f"{label}: already trained and evaluated", flush=True)
        return read_objective(config, label)
    status = run_training(config, labelled(config, overrides))
    if not first:
        return math.nan
    if status != 0:
        _record_failure(config, label, overrides, status)
        return math.nan
    return read_objective(config, label)


def _is_first(config: TrainConfig) -> bool:
    return config.cluster.node_rank == 0 and place_in_job().get("RANK", "0") == "0"


def _record_failure(config: TrainConfig, label: str, overrides: list[str], status: int) -> None:
    from src.jobs.failures import failed_job

    failed_job(config, label, overrides, status)


def _time_left(done: int) -> str:
    progress = Progress()
    if done == 0 or progress.process != os.getpid():
        return ""
    left = (time.monotonic() - progress.started) / done * (len(progress.jobs) - done)
    return f"   about {left / 60:.0f} min left" if left > 90 else f"   about {left:.0f} s left"


@contextmanager
def _stop_on_error() -> Iterator[None]:
    """Hydra turns an exception of a callback into a warning and starts the jobs all the same."""
    try:
        yield
    except Exception:
        traceback.print_exc()
        raise SystemExit(1) from None


class SweepCallback(Callback):
    """Hydra's hooks around a multirun."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check every job, then train what all of them build on."""
        with _stop_on_error():
            given = config.hydra.overrides
            _prepare(list(given.task), config.hydra.launcher, list(given.hydra))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Write the leaderboard; the exit status is 1 if a job failed."""
        with _stop_on_error():
            _conclude(Progress().jobs)


@friendly_errors
def _prepare(overrides: list[str], launcher: DictConfig, of_hydra: list[str]) -> None:
    jobs = plan(overrides)
    progress = Progress()
    progress.jobs = [job for job, _ in jobs]
    print(f"{jobs[0][1].study}: {len(jobs)} jobs. {jobs[0][1].question}", flush=True)
    if jobs[0][1].cluster.kind == SLURM:
        check_launcher(launcher, [config for _, config in jobs])
    if jobs[0][1].cluster.dry_run:
        print_plan(jobs, launcher)
        raise SystemExit(0)
    refuse_unwritable(Path(jobs[0][1].run_store))
    for job, config in jobs:
        upstreams = Upstreams(config, partial(launch_upstream, config, job, of_hydra))
        for stage in needed_stages(config):
            upstreams.of(stage)
    progress.started, progress.process = time.monotonic(), os.getpid()


@friendly_errors
def _conclude(jobs: list[list[str]]) -> None:
    configs = [composed(tuple(job)) for job in jobs]
    if not _is_first(configs[0]):
        return
    if not has_parent() and not all(map(restores_nothing, configs)):
        from src.jobs.board import print_leaderboard

        print_leaderboard(configs[0])
    if failed := _failed(jobs, configs):
        print(f"{len(failed)} of {len(jobs)} jobs failed: {', '.join(failed)}", file=sys.stderr)
        raise SystemExit(1)


def _failed(jobs: Sequence[Sequence[str]], configs: Sequence[TrainConfig]) -> list[str]:
    """Labels of the jobs that left a record of their failure, wherever they ran."""
    labels = [label_of(config, job) for job, config in zip(jobs, configs, strict=True)]
    return [label for label, config in zip(labels, configs, strict=True) if has_failed(config, label)]
