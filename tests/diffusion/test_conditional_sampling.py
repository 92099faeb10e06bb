"""Restoration by sampling, from pure noise and from the degraded latent."""

import pytest
import torch
from torch import Tensor

from src.diffusion.conditional_sampling import restored_latent, start_state
from src.diffusion.ddim import Ddim
from src.diffusion.noise_level import LatentProcess
from src.diffusion.schedule import NoiseSchedule
from src.diffusion.sde import VarianceExploding, VariancePreserving
from src.diffusion.time_chain import log_snr_time_chain, uniform_time_chain
from tests.diffusion.gaussian import GaussianData

PROCESSES = (VariancePreserving(), VarianceExploding(0.01, 40.0), NoiseSchedule.sqrt_linear())
Z_LQ, NOISE = torch.randn(2, 4, 3, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class Numbered:
    def __init__(self) -> None:
        self.drawn: list[int] = []

    def draw(self, number: int) -> Tensor:
        self.drawn.append(number)
        return NOISE / (1 + number)


@pytest.mark.parametrize("process", PROCESSES, ids=["vp", "ve", "ddpm"])
def test_pure_noise_does_not_know_the_degraded_latent(process: LatentProcess) -> None:
    chain = uniform_time_chain(process, 1, 5)
    start = start_state(process, torch.full_like(Z_LQ, torch.nan), chain, NOISE)
    torch.testing.assert_close(start, process.level(chain.start).sigma * NOISE)


@pytest.mark.parametrize("process", PROCESSES, ids=["vp", "ve", "ddpm"])
def test_a_later_start_is_the_noised_degraded_latent(process: LatentProcess) -> None:
    chain = uniform_time_chain(process, 0.4, 5)
    level = process.level(chain.start)
    start = start_state(process, Z_LQ, chain, NOISE)
    torch.testing.assert_close(start, level.alpha * Z_LQ + level.sigma * NOISE)


@pytest.mark.parametrize("process", PROCESSES, ids=["vp", "ve", "ddpm"])
def test_a_restoration_is_the_sampler_from_the_start(process: LatentProcess) -> None:
    """Noise number 0 makes the start, the others the steps; an earlier start keeps less of the degraded latent."""
    data = GaussianData(process, torch.tensor([0.5, -0.3, 0.1]), torch.eye(3) / 4)
    sampler, chain, noise = Ddim(process, 0.5), log_snr_time_chain(process, 0.3, 4), Numbered()
    restored = restored_latent(process, sampler, data.denoiser, Z_LQ, chain, noise)
    assert noise.drawn == [0, 1, 2, 3]
    start = start_state(process, Z_LQ, chain, NOISE)
    assert torch.equal(restored, sampler.sample(data.denoiser, start, chain, Numbered()))

    def kept(part: float) -> float:
        chain = log_snr_time_chain(process, part, 10)
        one, other = (
            restored_latent(process, sampler, data.denoiser, z, chain, Numbered()) for z in (Z_LQ, Z_LQ + 0.1)
        )
        return (other - one).mean().item() / 0.1

    assert kept(0.05) > kept(0.3) > kept(0.6) > kept(1.0) == 0
