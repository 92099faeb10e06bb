"""The partial chain of a restoration: at which timesteps the network is asked, from which noise level on.

Published chains hold a quirk (difface.md 1.3): the start has the noise of one respaced step *above* the first network call,
so that N = 400 in 100 steps of 4 asks for 396, 392, ..., 0. "exact" chains ask for N itself first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from src.diffusion.respacing import respaced_timesteps
from src.diffusion.schedule import NoiseSchedule
from src.settings.errors import UserError


@dataclass(frozen=True)
class Chain:
    """Timesteps of the trained process, and where they begin: whole numbers, or times of a continuous process."""

    timesteps: tuple[int | float, ...]
    """What the network receives, descending; its last estimate of x_0 is the result."""
    start: int | float
    """Timestep whose noise level the start has, at least the first of `timesteps`."""

    def __post_init__(self) -> None:
        descends = all(later < earlier for earlier, later in pairwise(self.timesteps))
        if not (self.timesteps and descends and self.timesteps[-1] >= 0 and self.timesteps[0] <= self.start):
            raise ValueError(f"timesteps must descend from at most {self.start} to at least 0")

    def __len__(self) -> int:
        """Timesteps; see `Sampler.evaluations` for what they cost."""
        return len(self.timesteps)

    @property
    def whole_timesteps(self) -> tuple[int, ...]:
        """The timesteps of a discrete process. Raises ValueError for times of a continuous one."""
        whole = tuple(timestep for timestep in self.timesteps if isinstance(timestep, int))
        if len(whole) != len(self):
            raise ValueError("the chain consists of times of a continuous process, not of whole timesteps")
        return whole


def uniform_chain(
    schedule: NoiseSchedule, start: int, steps: int, convention: Literal["published", "exact"] = "published"
) -> Chain:
    """Equal strides down to timestep 0, rounded where `start` cannot be divided.

    "published": i start / steps for i = steps - 1, ..., 0. "exact": from `start` itself, strides of start / (steps - 1).
    Raises UserError for a `start` or `steps` out of range.
    """
    _check(schedule, start, steps)
    if convention == "exact":
        return _chain(np.linspace(start, 0, steps).round(), start)
    return _chain([round(i * start / steps) for i in reversed(range(steps))], start)


def respaced_chain(schedule: NoiseSchedule, spec: str, index: int) -> Chain:
    """The published chain of `index` steps on the grid of a specification, started at the noise of its entry `index`.

    ("ddim250", 100) starts at 400, ("250", 100) at 401. Raises UserError for an unknown grid or an index outside of it.
    """
    grid = respaced_timesteps(spec, len(schedule))
    if not 1 <= index < len(grid):
        raise UserError(f'start: step {index} of respacing "{spec}" is not in 1 to {len(grid) - 1}; choose one there')
    return _chain(grid[index - 1 :: -1], grid[index])


def log_snr_chain(schedule: NoiseSchedule, start: int, steps: int) -> Chain:
    """From `start` down to 0 in about equal steps of lambda (DPM-Solver, arXiv 2206.00927, section 3.4).

    Each timestep is the one nearest in lambda. At low noise, where whole timesteps lie further apart than the grid, the next
    free one is taken, so that there are always `steps` of them. Raises UserError for a `start` or `steps` out of range.
    """
    _check(schedule, start, steps)
    log_snr, rank = schedule.log_snr[: start + 1], np.arange(steps)
    grid = np.linspace(log_snr[start], log_snr[0], steps)[::-1]
    nearest = np.abs(log_snr - grid[:, None]).argmin(1)
    distinct = np.maximum.accumulate(nearest - rank) + rank
    return _chain(np.minimum(distinct, start - (steps - 1) + rank)[::-1], start)


def _chain(timesteps: Sequence[int] | np.ndarray, start: int) -> Chain:
    return Chain(tuple(int(timestep) for timestep in timesteps), start)


def _check(schedule: NoiseSchedule, start: int, steps: int) -> None:
    last = len(schedule) - 1
    if not 1 <= start <= last:
        raise UserError(f"start: {start} is not in 1 to {last}, the noising steps of the prior; choose one there")
    if not 1 <= steps <= start:
        raise UserError(
            f"steps: {steps} is not in 1 to {start}; from start {start} on the process has no more distinct timesteps to ask "
            "the network at; choose fewer steps, or a later start"
        )
