"""The sampling settings at which the evaluation of a training runs DifFace."""

from collections.abc import Iterator, Mapping
from itertools import product

from src.restorers.sampling import Sampling
from src.settings.difface import SamplingGrid


def sampling_settings(grids: Mapping[str, SamplingGrid]) -> list[Sampling]:
    """Every combination of every grid, once; eta counts for DDIM alone."""
    return list(dict.fromkeys(setting for grid in grids.values() for setting in _combinations(grid)))


def _combinations(grid: SamplingGrid) -> Iterator[Sampling]:
    for solver, start, steps, eta, seed in product(grid.solver, grid.start, grid.steps, grid.eta, grid.seed):
        yield Sampling(solver, start, steps, eta if solver == "ddim" else None, seed)
