"""From the settings of a sampling to the chain and the sampler that walks it."""

from src.diffusion.ancestral import Ancestral
from src.diffusion.chain import Chain, log_snr_chain, uniform_chain
from src.diffusion.ddim import Ddim
from src.diffusion.dpm_solver import DpmSolverPlusPlus
from src.diffusion.sampler import Sampler
from src.diffusion.schedule import NoiseSchedule
from src.diffusion.unipc import UniPc
from src.restorers.sampling import FAST_SOLVERS, Sampling
from src.settings.errors import UserError

CLIP = 1.0
"""Faces lie in [-1, 1]; estimates of them are clamped, as published (difface.md 1.1)."""


def chain_of(schedule: NoiseSchedule, sampling: Sampling) -> Chain:
    """The fast solvers take steps of log-SNR; DDIM and ancestral sampling equal strides, as published.

    Raises:
        UserError: the process has no such `start`.
    """
    last = len(schedule) - 1
    if sampling.start > last:
        raise UserError(f"sampling.start: {sampling.start} is not in 1 to {last}, the noising steps of this prior")
    if sampling.solver in FAST_SOLVERS:
        return log_snr_chain(schedule, sampling.start, sampling.steps)
    if sampling.convention == "published":
        return uniform_chain(schedule, sampling.start, sampling.steps, "published")
    return uniform_chain(schedule, sampling.start, sampling.steps, "exact")


def sampler_of(schedule: NoiseSchedule, sampling: Sampling) -> Sampler:
    """The sampler of the settings."""
    if sampling.solver == "ddim":
        eta = sampling.eta or 0.0
        if sampling.convention == "published":
            return Ddim(schedule, eta, CLIP, raw_epsilon=True, sigma_scaling="quadratic")
        return Ddim(schedule, eta, CLIP, raw_epsilon=False, sigma_scaling="quadratic")
    kinds = {"ddpm": Ancestral, "dpm_solver_pp": DpmSolverPlusPlus, "unipc": UniPc}
    return kinds[sampling.solver](schedule, CLIP)
