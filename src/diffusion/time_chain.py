"""Chains over a part of any process, continuous or discrete: where a restoration asks the network (clr_face.md 4)."""

from collections.abc import Sequence

import numpy as np

from src.diffusion.chain import Chain, log_snr_chain, uniform_chain
from src.diffusion.noise_level import LatentProcess
from src.diffusion.schedule import NoiseSchedule
from src.diffusion.sde import Sde
from src.settings.errors import UserError


def uniform_time_chain(process: LatentProcess, start_part: int | float, steps: int) -> Chain:
    """Equal strides of time from the part `start_part` of the process down to its smallest time.

    Raises UserError for a `start_part` outside of the process, or `steps` that it does not have.
    """
    if isinstance(process, NoiseSchedule):
        return uniform_chain(process, _first_timestep(process, start_part), steps, "exact")
    sde = _continuous(process, start_part, steps)
    return _chain(np.linspace(start_part, sde.smallest_time, steps).tolist())


def log_snr_time_chain(process: LatentProcess, start_part: int | float, steps: int) -> Chain:
    """Equal steps of log-SNR from the part `start_part` of the process down to its smallest time.

    Raises UserError for a `start_part` outside of the process, or `steps` that it does not have.
    """
    if isinstance(process, NoiseSchedule):
        return log_snr_chain(process, _first_timestep(process, start_part), steps)
    sde = _continuous(process, start_part, steps)
    grid = np.linspace(sde.level(start_part).log_snr, sde.level(sde.smallest_time).log_snr, steps)
    # The inverse rounds: it must not fall below the smallest time.
    times = [start_part, *(sde.time(float(log_snr)) for log_snr in grid[1:-1]), sde.smallest_time]
    return _chain(times[:steps])


def _chain(times: Sequence[int | float]) -> Chain:
    return Chain(tuple(map(float, times)), float(times[0]))


def _first_timestep(schedule: NoiseSchedule, start_part: int | float) -> int:
    if not 0 < start_part <= 1 or schedule.at(start_part) < 1:
        raise UserError(
            f"start: {start_part} is not in {2 / len(schedule):g} to 1, the part of the {len(schedule)} noising steps from "
            "which the latent is denoised; choose one there"
        )
    return schedule.at(start_part)


def _continuous(process: LatentProcess, start_part: int | float, steps: int) -> Sde:
    if not isinstance(process, Sde):
        raise TypeError(f"a {type(process).__name__} is neither a discrete process nor an SDE")
    if not process.smallest_time < start_part <= 1:
        raise UserError(
            f"start: {start_part} is not above {process.smallest_time} and at most 1, the times of the process; choose one "
            "there"
        )
    if steps < 1:
        raise UserError(f"steps: {steps} must be a whole number from 1 on")
    return process
