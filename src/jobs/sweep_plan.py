"""The jobs of a sweep: composed and checked before the first one starts, and what each is called. Imports no torch."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from hydra.core.singleton import Singleton

from src.config.compose import compose_train, sweep_jobs
from src.config.validate import validate
from src.settings.commands import TrainConfig
from src.settings.errors import UserError


@dataclass
class Progress(metaclass=Singleton):
    """What the launching process knows about the sweep; as a singleton of Hydra it goes with every submitted job."""

    jobs: list[list[str]] = field(default_factory=list)
    started: float = 0.0
    process: int = 0
    """Number of the launching process, by whose clock `started` is."""


@cache
def composed(job: tuple[str, ...]) -> TrainConfig:
    """The configuration of a job; a process composes it once, which takes a second. Raises as `compose_train`."""
    return compose_train([*job, "hydra.mode=RUN"])


def plan(overrides: Sequence[str]) -> list[tuple[list[str], TrainConfig]]:
    """Every job of the sweep with its checked configuration.

    Raises:
        UserError: a job is wrong; the message names it. No job has been started then.
    """
    jobs = []
    for number, job in enumerate(sweep_jobs(overrides)):
        try:
            config = composed(tuple(job))
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


def shared_overrides() -> list[str]:
    """Overrides that all jobs have."""
    jobs = Progress().jobs
    return [text for text in jobs[0] if all(text in job for job in jobs)] if jobs else []


def label_of(config: TrainConfig, overrides: Sequence[str]) -> str:
    """Under which a job's records are kept."""
    return record_label(config, overrides, shared_overrides())


def labelled(config: TrainConfig, overrides: Sequence[str]) -> list[str]:
    """Overrides of the run that is the job."""
    label = label_of(config, overrides)
    return [*overrides, *([f"label='{label}'"] if label != config.label else [])]
