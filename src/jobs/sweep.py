"""A sweep: every job composed and checked first, upstream stages trained once, one fresh process a job, then the leaderboard.

Ranks of a multi-GPU job re-run the command line; a sweep inside the training process would make every rank start the whole
sweep again (conventions.md 2.5), hence the child processes. Imports no torch.
"""

import math
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from src.config.command import friendly_errors
from src.config.compose import compose_train, sweep_jobs
from src.config.validate import validate
from src.jobs.processes import run_training, train_upstream
from src.jobs.upstream import Upstreams, needed_stages
from src.settings.commands import TrainConfig
from src.settings.errors import UserError


@dataclass
class Progress:
    """What the launching process knows about the sweep."""

    jobs: list[list[str]] = field(default_factory=list)
    started: float = 0.0
    failed: list[str] = field(default_factory=list)


PROGRESS = Progress()


def plan(overrides: Sequence[str]) -> list[tuple[list[str], TrainConfig]]:
    """Every job of the sweep with its checked configuration.

    Raises:
        UserError: a job is wrong; the message names it. No job has been started then.
    """
    jobs = []
    for number, job in enumerate(sweep_jobs(overrides)):
        try:
            config = compose_train([*job, "hydra.mode=RUN"])
            validate(config)
        except UserError as error:
            raise UserError(f"sweep job {number} ({' '.join(job)}): {error}") from None
        jobs.append((job, config))
    return jobs


RECIPE_OF_BENCHMARK = "degradation@benchmark."
TOLD_OTHERWISE = ("arm=", "seed=", "hydra.", RECIPE_OF_BENCHMARK)
"""Beginnings of overrides that give no other arm."""


def record_label(config: TrainConfig, overrides: Sequence[str], shared: Sequence[str]) -> str:
    """The arm's name with what else was swept, besides seed and benchmark's recipe, which the folders of records tell."""
    swept = [text for text in overrides if text not in shared and not text.startswith(TOLD_OTHERWISE)]
    return ",".join([config.label, *swept]).replace("/", ".").replace("'", "")


def launch_job(config: TrainConfig, overrides: list[str], number: int) -> float:
    """Run one job of the sweep in a fresh process; a failure becomes a record and NaN, and the sweep goes on."""
    from src.jobs.failures import failed_job
    from src.jobs.objective import read_objective

    shared = [text for text in overrides if all(text in job for job in PROGRESS.jobs)]
    label = record_label(config, overrides, shared)
    places = [text for text in overrides if text not in shared and text.startswith(RECIPE_OF_BENCHMARK)]
    print(f"\n[{number + 1}/{len(PROGRESS.jobs)}] {' '.join([label, *places])}{_time_left(number)}", flush=True)
    status = run_training([*overrides, *([f"label='{label}'"] if label != config.label else [])])
    if status != 0:
        PROGRESS.failed.append(label)
        failed_job(config, label, overrides, status)
        return math.nan
    return read_objective(config, label)


def _time_left(done: int) -> str:
    if done == 0:
        return ""
    left = (time.monotonic() - PROGRESS.started) / done * (len(PROGRESS.jobs) - done)
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
            _prepare(list(config.hydra.overrides.task))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Write the leaderboard; the exit status is 1 if a job failed."""
        with _stop_on_error():
            _conclude(PROGRESS.jobs)


@friendly_errors
def _prepare(overrides: list[str]) -> None:
    jobs = plan(overrides)
    PROGRESS.jobs = [job for job, _ in jobs]
    print(f"{jobs[0][1].study}: {len(jobs)} jobs. {jobs[0][1].question}", flush=True)
    for job, config in jobs:
        upstreams = Upstreams(config, partial(train_upstream, job))
        for stage in needed_stages(config):
            upstreams.of(stage)
    PROGRESS.started = time.monotonic()


@friendly_errors
def _conclude(jobs: list[list[str]]) -> None:
    from src.jobs.board import print_leaderboard

    print_leaderboard(compose_train([*jobs[0], "hydra.mode=RUN"]))
    if PROGRESS.failed:
        print(f"{len(PROGRESS.failed)} of {len(jobs)} jobs failed: {', '.join(PROGRESS.failed)}", file=sys.stderr)
        raise SystemExit(1)
