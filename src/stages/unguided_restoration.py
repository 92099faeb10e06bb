"""Restorations in the latent space as the stages of CLR-Face need them: without guidance, from pure noise."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from src.diffusion.conditioned_denoiser import ConditionedDenoiser
from src.diffusion.dpm_solver import DpmSolverPlusPlus
from src.diffusion.noise_level import LatentProcess
from src.diffusion.sampler import GeneratorNoise
from src.diffusion.time_chain import log_snr_time_chain


@torch.no_grad()
def restored_from_noise(
    process: LatentProcess,
    network: nn.Module,
    condition: Float[Tensor, "b k h w"],
    noise: Float[Tensor, "b c h w"],
    steps: int,
) -> Float[Tensor, "b c h w"]:
    """Clean latents by DPM-Solver++(2M) in `steps` evaluations of the network, from standard normal `noise`."""
    chain = log_snr_time_chain(process, 1.0, steps)
    denoiser = ConditionedDenoiser(process, network, condition)
    start = process.level(chain.start).sigma * noise
    draws_nothing = GeneratorNoise(tuple(noise.shape), torch.Generator())
    return DpmSolverPlusPlus(process).sample(denoiser, start, chain, draws_nothing)
