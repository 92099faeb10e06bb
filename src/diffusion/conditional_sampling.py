"""Restoration by sampling: from pure noise, or from the noised latent of the degraded face (clr_face.md 4).

The later start is "Come-Closer-Diffuse-Faster" (arXiv 2112.05146): fewer steps, closer to the degraded face.
"""

from src.diffusion.chain import Chain
from src.diffusion.forward_process import Images
from src.diffusion.noise_level import LatentProcess
from src.diffusion.sampler import Correction, Denoiser, NoiseSource, Sampler, StepHook


def start_state(process: LatentProcess, z_lq: Images, chain: Chain, noise0: Images) -> Images:
    """alpha z_lq + sigma noise0 at the chain's start; at the end of the process sigma noise0, without z_lq."""
    level = process.level(chain.start)
    if chain.start == process.at(1):
        return level.sigma * noise0
    return level.state(z_lq, noise0)


def restored_latent(
    process: LatentProcess,
    sampler: Sampler,
    denoiser: Denoiser,
    z_lq: Images,
    chain: Chain,
    noise: NoiseSource,
    correct: Correction | None = None,
    on_step: StepHook | None = None,
) -> Images:
    """z_0 from `start_state` with noise number 0 down the chain; `denoiser` knows the condition."""
    start = start_state(process, z_lq, chain, noise.draw(0))
    return sampler.sample(denoiser, start, chain, noise, correct, on_step)
