"""From the settings of CLR-Face's sampling to the chain of times and the sampler that walks it (clr_face.md 4)."""

from typing import cast

import torch
from torch import Tensor

from src.diffusion.ancestral import Ancestral
from src.diffusion.chain import Chain
from src.diffusion.ddim import Ddim
from src.diffusion.dpm_solver import DpmSolverPlusPlus
from src.diffusion.euler_maruyama import EulerMaruyama
from src.diffusion.heun import Heun
from src.diffusion.noise_level import LatentProcess
from src.diffusion.predictor_corrector import PredictorCorrector
from src.diffusion.sampler import Sampler
from src.diffusion.schedule import NoiseSchedule
from src.diffusion.sde import Sde
from src.diffusion.time_chain import log_snr_time_chain, uniform_time_chain
from src.diffusion.unipc import UniPc
from src.guidance.guidance import Guidance, process_part
from src.restorers.latent_sampling import LatentSampling

LOG_SNR_SOLVERS = ("dpm_solver_pp", "unipc")
"""Solvers that were made for equal steps of log-SNR; the others take equal steps of time."""


def latent_chain(process: LatentProcess, sampling: LatentSampling) -> Chain:
    """The times at which the solver steps.

    Raises:
        UserError: the process has no such `start`, or not so many `steps`.
    """
    chain_of = log_snr_time_chain if sampling.solver in LOG_SNR_SOLVERS else uniform_time_chain
    return chain_of(process, sampling.start, sampling.steps)


def latent_sampler(process: LatentProcess, sampling: LatentSampling) -> Sampler:
    """The sampler of the settings, which must fit the process (`LatentSampling.check_process`); latents have no bound."""
    match sampling.solver:
        case "ddim":
            return Ddim(process, eta=sampling.eta or 0.0)
        case "ddpm":
            return Ancestral(cast(NoiseSchedule, process))
        case "euler_maruyama":
            return EulerMaruyama(cast(Sde, process))
        case "predictor_corrector":
            return PredictorCorrector(process)
        case "heun":
            return Heun(process)
        case "unipc":
            return UniPc(process)
        case _:
            return DpmSolverPlusPlus(process)


def guided_evaluations(process: LatentProcess, sampler: Sampler, chain: Chain, guidance: Guidance) -> int:
    """Evaluations of a chain that are guided, wherever the mask is not 0: a walk without a network counts them."""
    walk = _Walk()
    sampler.sample(walk, torch.zeros(1, 1, 1, 1), chain, walk)
    return sum(guidance.acts(process_part(process, t), number) for number, t in enumerate(walk.times))


class _Walk:
    """Denoiser and noise of zeros that remembers when it was asked."""

    def __init__(self) -> None:
        self.times: list[int | float] = []

    def __call__(self, state: Tensor, t: Tensor) -> Tensor:
        self.times.append(t[0].item())
        return torch.zeros_like(state)

    def draw(self, number: int) -> Tensor:
        return torch.zeros(1, 1, 1, 1)
