"""What a trained prior can do: guess a clean image from a noised one, and make images from pure noise."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from src.diffusion.chain import log_snr_chain
from src.diffusion.dpm_solver import DpmSolverPlusPlus
from src.diffusion.forward_process import Images, noised
from src.diffusion.model_output import clipped, predicted_x0, split_output
from src.diffusion.sampler import Denoiser, GeneratorNoise
from src.diffusion.schedule import NoiseSchedule


class Denoised(NamedTuple):
    """One evaluation of the network on noised images."""

    state: Images
    """x_t"""
    guess: Images
    """x_0 as the network sees it, clipped."""
    error: Float[Tensor, "b"]
    """Mean squared error of epsilon."""


@torch.no_grad()
def denoised(
    schedule: NoiseSchedule, denoiser: Denoiser, x0: Images, timestep: int, z: Images, clip: float | None = None
) -> Denoised:
    """Images noised with z to a timestep of the process, and what the network makes of them."""
    t = torch.full((len(x0),), timestep, device=x0.device)
    state = noised(schedule, x0, t, z)
    epsilon, _ = split_output(denoiser(state, t), state)
    guess = clipped(predicted_x0(schedule, state, epsilon, t), clip)
    return Denoised(state, guess, (epsilon - z).square().flatten(1).mean(1))


def unconditional_samples(
    schedule: NoiseSchedule, denoiser: Denoiser, z: Images, steps: int, clip: float | None = None
) -> Images:
    """Images from pure noise z by DPM-Solver++ in so many network evaluations."""
    chain = log_snr_chain(schedule, len(schedule) - 1, steps)
    draws_nothing = GeneratorNoise(tuple(z.shape), torch.Generator())
    return DpmSolverPlusPlus(schedule, clip).sample(denoiser, z, chain, draws_nothing)


def denoising_curve(
    schedule: NoiseSchedule, denoiser: Denoiser, x0: Images, z: Images, points: int = 10
) -> dict[int, float]:
    """Mean error of epsilon by timestep, at `points` equally far apart from the first to the last of the process."""
    timesteps = np.linspace(0, len(schedule) - 1, points).round().astype(int)
    return {int(t): float(denoised(schedule, denoiser, x0, int(t), z).error.mean()) for t in timesteps}
