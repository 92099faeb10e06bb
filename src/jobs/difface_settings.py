"""The sampling settings at which the evaluation of a training runs DifFace."""

from src.restorers.sampling import Sampling, sampling_combinations
from src.settings.commands import TrainConfig
from src.settings.difface import SamplingGrid, SamplingSettings


def sampling_settings(config: TrainConfig) -> list[Sampling]:
    """Every combination of every grid that is meant for the benchmark's recipe, once; eta counts for DDIM alone."""
    return list(dict.fromkeys(setting for grid in grids_of(config) for setting in _combinations(grid)))


def grids_of(config: TrainConfig) -> list[SamplingGrid]:
    """The grids that are meant for the benchmark's recipe."""
    recipe = None if config.benchmark.root is not None else config.benchmark.degradation.name
    return [grid for grid in config.evaluation.difface.values() if not grid.recipes or recipe in grid.recipes]


def _combinations(grid: SamplingGrid) -> list[Sampling]:
    settings = SamplingSettings(
        backbone=None,
        solver=grid.solver,
        start=grid.start,
        steps=grid.steps,
        eta=grid.eta if "ddim" in grid.solver else None,
        convention=grid.convention,
        tile=None,
    )
    return sampling_combinations(settings, "difface", grid.seed)
