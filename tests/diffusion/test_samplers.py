"""Samplers with the best possible denoiser of normal data: they must return that data's mean and covariance."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from src.diffusion.ancestral import Ancestral
from src.diffusion.chain import Chain, log_snr_chain, uniform_chain
from src.diffusion.ddim import Ddim
from src.diffusion.dpm_solver import DpmSolverPlusPlus
from src.diffusion.respacing import observed_at
from src.diffusion.sampler import GeneratorNoise, Sampler
from src.diffusion.schedule import NoiseSchedule
from src.diffusion.unipc import UniPc
from tests.diffusion.gaussian import GaussianData, standardised_normal

SCHEDULE = NoiseSchedule.linear()
MEAN = torch.tensor([0.5, -0.3, 0.1, 0.9])
FACTOR = torch.tensor([[0.6, 0.0, 0.0, 0.0], [0.3, 0.4, 0.0, 0.0], [-0.2, 0.1, 0.5, 0.0], [0.1, 0.2, -0.3, 0.25]])
DATA = GaussianData(SCHEDULE, MEAN, FACTOR @ FACTOR.T)
COUNT = 20_000
START = DATA.state(400, standardised_normal(COUNT, 4, seed=0))
FULL = Chain(tuple(range(400, -1, -1)), start=400)
PUBLISHED = uniform_chain(SCHEDULE, 400, 20)
SAMPLERS = (Ancestral(SCHEDULE), Ddim(SCHEDULE, 0.5), DpmSolverPlusPlus(SCHEDULE), UniPc(SCHEDULE))


class NoNoise:
    """For samplers that must not draw any."""

    def draw(self, number: int) -> Tensor:
        raise AssertionError("a deterministic sampler drew noise")


class Numbered:
    """Float64 noise that depends on the step's number alone."""

    def __init__(self, count: int, channels: int) -> None:
        self.shape, self.drawn = (count, channels, 1, 1), list[int]()

    def draw(self, number: int) -> Tensor:
        self.drawn.append(number)
        return torch.randn(self.shape, generator=torch.Generator().manual_seed(number), dtype=torch.float64)


class Row:
    """One sample's part of another noise."""

    def __init__(self, noise: Numbered, row: int) -> None:
        self.noise, self.row = noise, row

    def draw(self, number: int) -> Tensor:
        return self.noise.draw(number)[self.row : self.row + 1]


@pytest.mark.parametrize(
    ("sampler", "chain", "tolerance"),
    [
        (Ddim(SCHEDULE, eta=0.0), FULL, 0.025),
        (Ddim(SCHEDULE, eta=0.0), uniform_chain(SCHEDULE, 400, 100, "exact"), 0.08),
        (DpmSolverPlusPlus(SCHEDULE), log_snr_chain(SCHEDULE, 400, 10), 0.03),
        (DpmSolverPlusPlus(SCHEDULE), log_snr_chain(SCHEDULE, 400, 20), 0.01),
        (UniPc(SCHEDULE), log_snr_chain(SCHEDULE, 400, 10), 0.03),
        (UniPc(SCHEDULE), log_snr_chain(SCHEDULE, 400, 20), 0.005),
    ],
)
def test_deterministic_samplers_recover_the_data(sampler: Sampler, chain: Chain, tolerance: float) -> None:
    """From states whose sample moments are exactly the marginal's: the tolerance is for the discretisation alone.

    Ten evaluations of the fast solvers come closer than a hundred of DDIM.
    """
    start = DATA.state(chain.start, standardised_normal(500, 4, seed=0))
    mean, covariance = DATA.whitened_moments(sampler.sample(DATA.denoiser, start, chain, NoNoise()))
    torch.testing.assert_close(mean, torch.zeros(4).double(), rtol=0, atol=1e-10)
    torch.testing.assert_close(covariance, torch.eye(4).double(), rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    "sampler",
    [Ancestral(SCHEDULE), Ancestral(SCHEDULE, fixed_variance="large"), Ddim(SCHEDULE, 0.5), Ddim(SCHEDULE, 1)],
)
def test_stochastic_samplers_recover_the_data(sampler: Sampler) -> None:
    """The discretisation of 401 steps costs up to 0.03 of a variance."""
    mean, covariance = DATA.whitened_moments(sampler.sample(DATA.denoiser, START, FULL, Numbered(COUNT, 4)))
    torch.testing.assert_close(mean, torch.zeros(4).double(), rtol=0, atol=4 * COUNT**-0.5)
    torch.testing.assert_close(covariance, torch.eye(4).double(), rtol=0, atol=0.03 + 4 * (2 / COUNT) ** 0.5)


def test_ancestral_sampling_with_the_true_variance_is_exact_in_few_steps() -> None:
    """For isotropic data the reverse steps are normal with a variance between the two bounds; six of them lose nothing."""
    data = GaussianData(SCHEDULE, MEAN, 0.2 * torch.eye(4))
    chain = Chain((400, 300, 200, 90, 20, 0), start=400)
    process = observed_at(SCHEDULE, chain.timesteps[::-1])
    signal = process.alphas_cumprod
    uncertainty = 0.2 * (1 - signal) / (0.2 * signal + 1 - signal)  # of x_0 given x_t
    variance = process.posterior_variance + process.posterior_mean_coef1**2 * uncertainty
    lower, upper = process.posterior_log_variance_clipped, np.log(process.betas)
    fraction = (np.log(variance) - lower) / (upper - lower)

    def denoiser(x_t: Tensor, t: Tensor) -> Tensor:
        index = chain.timesteps[::-1].index(int(t[0]))
        return torch.cat([data.denoiser(x_t, t), torch.full_like(x_t, 2 * fraction[index] - 1)], dim=1)

    start = data.state(400, standardised_normal(COUNT, 4, seed=0))
    mean, covariance = data.whitened_moments(Ancestral(SCHEDULE).sample(denoiser, start, chain, Numbered(COUNT, 4)))
    torch.testing.assert_close(mean, torch.zeros(4).double(), rtol=0, atol=4 * COUNT**-0.5)
    torch.testing.assert_close(covariance, torch.eye(4).double(), rtol=0, atol=4 * (2 / COUNT) ** 0.5)


def test_ddim_with_eta_1_is_ancestral_sampling() -> None:
    noise, start = Numbered(8, 4), START[:8]
    ancestral = Ancestral(SCHEDULE).sample(DATA.denoiser, start, PUBLISHED, noise)
    torch.testing.assert_close(Ddim(SCHEDULE, 1).sample(DATA.denoiser, start, PUBLISHED, noise), ancestral)


@pytest.mark.parametrize("fast", [DpmSolverPlusPlus(SCHEDULE), UniPc(SCHEDULE)])
def test_the_first_step_of_the_fast_solvers_is_ddim(fast: Sampler) -> None:
    chain = Chain((400, 150), start=400)
    expected = Ddim(SCHEDULE, 0).sample(DATA.denoiser, START, chain, NoNoise())
    torch.testing.assert_close(fast.sample(DATA.denoiser, START, chain, NoNoise()), expected)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_chain_of_one_evaluation_returns_the_posterior_mean(sampler: Sampler) -> None:
    for chain in (uniform_chain(SCHEDULE, 400, 1, "exact"), log_snr_chain(SCHEDULE, 400, 1)):
        x0 = sampler.sample(DATA.denoiser, START, chain, NoNoise())
        torch.testing.assert_close(x0, DATA.posterior_mean(START, 400))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_clip_correction_and_hook_act_at_every_step(sampler: Sampler) -> None:
    """The correction gets a clipped estimate, and its own result is clipped before it is used, shown and returned."""
    x_start, seen = START[:5].float(), list[tuple[int, int]]()
    bounded = replace(sampler, clip=0.7)

    def correct(x0: Tensor) -> Tensor:
        assert x0.abs().max() <= 0.7 + 1e-6
        return torch.cat([torch.full_like(x0[:, :1], 2.0), x0[:, 1:]], dim=1)

    def on_step(number: int, timestep: int, x_t: Tensor, x0: Tensor) -> None:
        seen.append((number, timestep))
        assert x_t.shape == x0.shape
        torch.testing.assert_close(x0[:, 0], torch.full_like(x0[:, 0], 0.7))

    x0 = bounded.sample(DATA.denoiser, x_start, PUBLISHED, Numbered(5, 4), correct, on_step)
    assert seen == list(enumerate(PUBLISHED.timesteps, start=1))
    torch.testing.assert_close(x0[:, 0], torch.full_like(x0[:, 0], 0.7))
    assert x0.abs().max() <= 0.7 + 1e-6


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_samples_do_not_depend_on_the_batch(sampler: Sampler) -> None:
    whole = sampler.sample(DATA.denoiser, START[:6], PUBLISHED, Numbered(6, 4))
    noise = Numbered(6, 4)
    parts = [sampler.sample(DATA.denoiser, START[i : i + 1], PUBLISHED, Row(noise, i)) for i in range(6)]
    torch.testing.assert_close(torch.cat(parts), whole)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_network_in_half_precision_leaves_the_state_in_float32(sampler: Sampler) -> None:
    seen: list[torch.dtype] = []

    def denoiser(x_t: Tensor, t: Tensor) -> Tensor:
        seen.append(x_t.dtype)
        return DATA.denoiser(x_t.double(), t).bfloat16()

    x0 = sampler.sample(denoiser, START[:2].float(), PUBLISHED, GeneratorNoise((2, 4, 1, 1), torch.Generator()))
    assert {x0.dtype, *seen} == {torch.float32}


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_no_graph_is_kept(sampler: Sampler) -> None:
    weight = torch.ones(1, requires_grad=True)
    x0 = sampler.sample(lambda x, t: weight * DATA.denoiser(x, t), START[:2], PUBLISHED, Numbered(2, 4))
    assert not x0.requires_grad


def test_noise_is_drawn_once_a_step_that_uses_it() -> None:
    for sampler in (Ancestral(SCHEDULE), Ddim(SCHEDULE, 0.1)):
        noise = Numbered(2, 4)
        sampler.sample(DATA.denoiser, START[:2], Chain((400, 200, 0), start=400), noise)
        assert noise.drawn == [1, 2]


def test_a_network_of_other_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="returned 3 channels for a state of 4"):
        Ddim(SCHEDULE).sample(lambda x, t: x[:, :3], START[:2], PUBLISHED, Numbered(2, 4))
