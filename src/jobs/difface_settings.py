"""The sampling settings at which the evaluation of a training runs DifFace."""

from collections.abc import Iterator
from itertools import product

from src.restorers.sampling import Sampling
from src.settings.commands import TrainConfig
from src.settings.difface import SamplingGrid


def sampling_settings(config: TrainConfig) -> list[Sampling]:
    """Every combination of every grid that is meant for the benchmark's recipe, once; eta counts for DDIM alone."""
    return list(dict.fromkeys(setting for grid in grids_of(config) for setting in _combinations(grid)))


def grids_of(config: TrainConfig) -> list[SamplingGrid]:
    """The grids that are meant for the benchmark's recipe."""
    recipe = None if config.benchmark.root is not None else config.benchmark.degradation.name
    return [grid for grid in config.evaluation.difface.values() if not grid.recipes or recipe in grid.recipes]


def _combinations(grid: SamplingGrid) -> Iterator[Sampling]:
    for solver, start, steps, eta, seed in product(grid.solver, grid.start, grid.steps, grid.eta, grid.seed):
        own_eta = eta if solver == "ddim" else None
        convention = grid.convention if solver in ("ddim", "ddpm") else "published"
        yield Sampling(solver, start, steps, own_eta, seed, convention)
