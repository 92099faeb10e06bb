"""All samplers on all processes with the best possible denoiser of normal data."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from src.diffusion.ancestral import Ancestral
from src.diffusion.chain import Chain
from src.diffusion.ddim import Ddim
from src.diffusion.dpm_solver import DpmSolverPlusPlus
from src.diffusion.euler_maruyama import EulerMaruyama
from src.diffusion.heun import Heun
from src.diffusion.noise_level import LatentProcess, NoisingProcess
from src.diffusion.predictor_corrector import PredictorCorrector, langevin
from src.diffusion.sampler import GeneratorNoise, Sampler
from src.diffusion.schedule import NoiseSchedule
from src.diffusion.sde import Sde, VarianceExploding, VariancePreserving
from src.diffusion.time_chain import log_snr_time_chain, uniform_time_chain
from src.diffusion.unipc import UniPc
from tests.diffusion.gaussian import ExactNoise, GaussianData, images, standardised_normal

MEAN = torch.tensor([0.5, -0.3, 0.1])
FACTOR = torch.tensor([[0.9, 0.0, 0.0], [0.3, 0.6, 0.0], [-0.2, 0.1, 0.7]])
VP, VE, DDPM = VariancePreserving(), VarianceExploding(0.01, 40.0), NoiseSchedule.sqrt_linear()
PIXELS = 64
NEW = [EulerMaruyama(VP), PredictorCorrector(VP), Heun(VP), EulerMaruyama(VE), PredictorCorrector(VE), Heun(VE)]


def of(process: NoisingProcess) -> GaussianData:
    return GaussianData(process, MEAN, FACTOR @ FACTOR.T)


def one_face(data: GaussianData, t: int | float) -> Tensor:
    """States at t whose moments are exactly the marginal's, as the pixels of one face, so that norms are theirs as well."""
    rows = data.state(t, standardised_normal(PIXELS, 3, seed=0))
    return images(rows, torch.empty(1, 3, 8, PIXELS // 8))


def moments(sampler: Sampler, process: NoisingProcess, chain: Chain) -> tuple[Tensor, Tensor]:
    """Of the samples, whitened by those of the data."""
    data = of(process)
    noise = ExactNoise(data)
    return data.whitened_moments(sampler.sample(noise.denoiser, one_face(data, chain.start), chain, noise))


class Numbered:
    """Float64 noise that depends on the step's number alone."""

    def __init__(self, *shape: int) -> None:
        self.shape, self.drawn = shape, list[int]()

    def draw(self, number: int) -> Tensor:
        self.drawn.append(number)
        return torch.randn(self.shape, generator=torch.Generator().manual_seed(number), dtype=torch.float64)


@pytest.mark.parametrize("process", [VP, VE, DDPM], ids=["vp", "ve", "ddpm"])
@pytest.mark.parametrize("start_part", [0.5, 1.0])
def test_every_sampler_recovers_the_data(process: LatentProcess, start_part: float) -> None:
    """Without Monte-Carlo error: the tolerance of the variances is for the discretisation, and Langevin's bias."""
    fast, slow = log_snr_time_chain(process, start_part, 40), uniform_time_chain(process, start_part, 150)
    cases: list[tuple[Sampler, Chain, float]] = [
        (Ddim(process, 0.0), log_snr_time_chain(process, start_part, 200), 0.03),
        (Heun(process), fast, 0.02),
        (DpmSolverPlusPlus(process), fast, 0.01),
        (UniPc(process), fast, 0.005),
        (Ddim(process, 0.5), log_snr_time_chain(process, start_part, 200), 0.04),
        (PredictorCorrector(process, snr=0.05), slow, 0.05),
        (PredictorCorrector(process), slow, 0.06),
    ]
    if isinstance(process, Sde):
        cases += [(EulerMaruyama(process), slow, 0.015)]
    if isinstance(process, NoiseSchedule):
        cases += [(Ancestral(process), uniform_time_chain(process, start_part, 300), 0.08)]
    for sampler, chain, tolerance in cases:
        mean, covariance = moments(sampler, process, chain)
        torch.testing.assert_close(mean, torch.zeros(3).double(), rtol=0, atol=6e-3)
        off = (covariance - torch.eye(3)).abs().max().item()
        assert off < tolerance, f"{type(sampler).__name__}: {off:.4f}"


@pytest.mark.parametrize("sde", [VP, VE], ids=["vp", "ve"])
def test_independent_noise_recovers_the_data_within_monte_carlo_error(sde: Sde) -> None:
    """What `ExactNoise` leaves out; 6400 pixels in 100 faces."""
    data, chain = of(sde), uniform_time_chain(sde, 1.0, 100)
    start = data.state(chain.start, standardised_normal(6400, 3, seed=1)).view(100, 8, 8, 3).permute(0, 3, 1, 2)
    for sampler in (EulerMaruyama(sde), PredictorCorrector(sde, snr=0.05)):
        expected = moments(sampler, sde, chain)[1]
        mean, covariance = data.whitened_moments(sampler.sample(data.denoiser, start, chain, Numbered(*start.shape)))
        torch.testing.assert_close(mean, torch.zeros(3).double(), rtol=0, atol=4 / 80)
        torch.testing.assert_close(covariance, expected, rtol=0, atol=4 * 2**0.5 / 80)


def variances_of_the_start(sde: Sde) -> tuple[GaussianData, Tensor, Chain]:
    chain = uniform_time_chain(sde, 0.7, 6)
    return of(sde), of(sde).marginal(chain.start)[1], chain


def whitened_result(data: GaussianData, variances: Tensor, chain: Chain) -> Tensor:
    """Variances of Tweedie's estimate at the chain's end from those of the state there, over the data's."""
    level, true = data.process.level(chain.timesteps[-1]), data.marginal(chain.timesteps[-1])[1]
    return (level.alpha * data.variances / true) ** 2 * variances / data.variances


@pytest.mark.parametrize("sde", [VP, VE], ids=["vp", "ve"])
def test_euler_maruyama_is_its_equation(sde: Sde) -> None:
    """Variances V in few, coarse steps: along an axis of marginal variance v the score is -(x - m) / v."""
    data, variances, chain = variances_of_the_start(sde)
    for t, s in pairwise(chain.timesteps):
        g = sde.diffusion(t)
        factor = 1 + (sde.drift_rate(t) + g**2 / data.marginal(t)[1]) * (s - t)
        variances = factor**2 * variances + g**2 * (t - s)
    found = moments(EulerMaruyama(sde), sde, chain)[1]
    torch.testing.assert_close(found, whitened_result(data, variances, chain).diag(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("corrections", [0, 1, 2])
def test_predictor_corrector_of_a_variance_exploding_process_is_its_equation(corrections: int) -> None:
    """clr_face.md 4: z + (s_i^2 - s_{i-1}^2) score + sqrt(s_i^2 - s_{i-1}^2) n, then steps e = 2 (r |n| / |score|)^2."""
    data, variances, chain = variances_of_the_start(VE)
    for t, s in pairwise(chain.timesteps):
        added = VE.level(t).sigma ** 2 - VE.level(s).sigma ** 2
        variances = (1 - added / data.marginal(t)[1]) ** 2 * variances + added
        true = data.marginal(s)[1]
        for _ in range(corrections):
            step = 2 * 0.3**2 * 3 / (variances / true**2).sum()
            variances = (1 - step / true) ** 2 * variances + 2 * step
    found = moments(PredictorCorrector(VE, snr=0.3, corrections=corrections), VE, chain)[1]
    torch.testing.assert_close(found, whitened_result(data, variances, chain).diag(), rtol=1e-9, atol=1e-9)


def test_predictor_corrector_of_a_discrete_process_is_its_algorithm() -> None:
    """Song et al. 2021, algorithms 3 and 5, with the betas of every step."""
    schedule = NoiseSchedule.linear(10, 0.001, 0.004)
    data, chain, noise = of(schedule), Chain(tuple(range(9, -1, -1)), start=9), Numbered(2, 3, 2, 2)
    start, betas = Numbered(2, 3, 2, 2).draw(100), schedule.betas

    def score(x: Tensor, i: int) -> Tensor:
        return -data.denoiser(x, torch.tensor([i])) / (1 - schedule.alphas_cumprod[i]) ** 0.5

    x = start
    for step, i in enumerate(range(8, -1, -1)):
        predictor_noise, z = noise.draw(2 * step + 1), noise.draw(2 * step + 2)
        x = (2 - (1 - betas[i + 1]) ** 0.5) * x + betas[i + 1] * score(x, i + 1)
        x = x + betas[i + 1] ** 0.5 * predictor_noise
        g = score(x, i)
        for face in range(2):
            e = 2 * (1 - betas[i]) * (0.16 * z[face].norm() / g[face].norm()) ** 2
            x[face] = x[face] + e * g[face] + (2 * e) ** 0.5 * z[face]
    sampled = PredictorCorrector(schedule).sample(data.denoiser, start.clone(), chain, noise)
    torch.testing.assert_close(sampled, data.posterior_mean(x, 0))


def test_no_score_no_langevin_step() -> None:
    x, n = Numbered(2, 2, 3, 4, 4).draw(1)
    score = torch.stack([torch.zeros_like(x[0]), x[0]])
    moved = langevin(x, score, 0.16, 1.0, n)
    assert torch.equal(moved[0], x[0])
    assert not torch.equal(moved[1], x[1])


@pytest.mark.parametrize("kind", [Ddim, DpmSolverPlusPlus, UniPc, Heun, PredictorCorrector])
def test_rescaling_the_process_changes_nothing(kind: type) -> None:
    """Of the same log-SNRs, x of the exploding process is x / alpha of the preserving one; so is DDIM with eta 0.5."""
    exploding = VarianceExploding(0.005, 200.0)
    preserving_chain = log_snr_time_chain(VP, 1.0, 12)
    times = tuple(exploding.time(VP.level(t).log_snr) for t in preserving_chain.timesteps)
    x = one_face(of(VP), 1.0)
    preserved = kind(VP).sample(of(VP).denoiser, x, preserving_chain, Numbered(*x.shape))
    exploded = kind(exploding).sample(
        of(exploding).denoiser, x / VP.level(1.0).alpha, Chain(times, times[0]), Numbered(*x.shape)
    )
    if kind is PredictorCorrector:  # its Euler steps are taken in x itself
        assert (preserved - exploded).abs().max() > 0.01
    else:
        torch.testing.assert_close(preserved, exploded)


@pytest.mark.parametrize("process", [VP, VE, DDPM], ids=["vp", "ve", "ddpm"])
def test_ddim_and_heun_become_one(process: LatentProcess) -> None:
    """Both solve the probability-flow ODE: their distance is DDIM's error, of order 1."""
    data, distances = of(process), []
    for steps in (50, 100, 200):
        chain = log_snr_time_chain(process, 0.7, steps)
        x = one_face(data, chain.start)
        results = [s.sample(data.denoiser, x, chain, Numbered()) for s in (Ddim(process, 0), Heun(process))]
        distances.append((results[0] - results[1]).abs().max().item())
    assert distances[0] > 1.7 * distances[1] > 1.7**2 * distances[2]
    assert distances[2] < 0.03


@pytest.mark.parametrize("sampler", [*NEW, Ddim(VP), DpmSolverPlusPlus(VE), UniPc(VP)])
def test_evaluations_are_counted_and_noise_is_never_drawn_twice(sampler: Sampler) -> None:
    asked, noise, data = 0, Numbered(2, 3, 2, 2), of(sampler.process)
    chain = uniform_time_chain(sampler.process, 1.0, 7)

    def denoiser(x_t: Tensor, t: Tensor) -> Tensor:
        nonlocal asked
        asked += 1
        assert t.shape == (2,)
        return data.denoiser(x_t, t)

    sampler.sample(denoiser, Numbered(2, 3, 2, 2).draw(50), chain, noise)
    assert asked == sampler.evaluations(chain)
    assert noise.drawn == list(range(1, len(noise.drawn) + 1))


def test_each_sampler_costs_what_it_says() -> None:
    chain = uniform_time_chain(VP, 1.0, 7)
    samplers = (Ddim(VP), EulerMaruyama(VP), Heun(VP), PredictorCorrector(VP), PredictorCorrector(VP, corrections=3))
    assert [sampler.evaluations(chain) for sampler in samplers] == [7, 7, 13, 13, 25]


@pytest.mark.parametrize("sampler", NEW)
def test_clip_correction_and_hook_act_at_every_timestep(sampler: Sampler) -> None:
    seen, data, chain = (
        list[tuple[int, int | float]](),
        of(sampler.process),
        uniform_time_chain(sampler.process, 0.6, 5),
    )

    def correct(x0: Tensor) -> Tensor:
        assert x0.abs().max() <= 0.7 + 1e-6
        return torch.cat([torch.full_like(x0[:, :1], 2.0), x0[:, 1:]], dim=1)

    def on_step(number: int, timestep: int | float, x_t: Tensor, x0: Tensor) -> None:
        seen.append((number, timestep))
        torch.testing.assert_close(x0[:, 0], torch.full_like(x0[:, 0], 0.7))

    x, noise = Numbered(2, 3, 2, 2).draw(50), Numbered(2, 3, 2, 2)
    x0 = replace(sampler, clip=0.7).sample(data.denoiser, x, chain, noise, correct, on_step)
    assert seen == list(enumerate(chain.timesteps, start=1))
    torch.testing.assert_close(x0[:, 0], torch.full_like(x0[:, 0], 0.7))
    steered = sampler.sample(data.denoiser, x, chain, noise, lambda x0: torch.full_like(x0, 0.3))
    assert torch.equal(steered, torch.full_like(x, 0.3))


@pytest.mark.parametrize("sampler", NEW)
def test_samples_do_not_depend_on_the_batch(sampler: Sampler) -> None:
    data, chain, x = of(sampler.process), uniform_time_chain(sampler.process, 1.0, 6), Numbered(5, 3, 4, 4).draw(50)

    class Row(Numbered):
        def draw(self, number: int) -> Tensor:
            return super().draw(number)[self.row : self.row + 1]

    whole = sampler.sample(data.denoiser, x, chain, Numbered(*x.shape))
    for i in range(5):
        noise = Row(*x.shape)
        noise.row = i
        torch.testing.assert_close(sampler.sample(data.denoiser, x[i : i + 1], chain, noise), whole[i : i + 1])


@pytest.mark.parametrize("sampler", NEW)
def test_a_network_in_half_precision_leaves_the_state_in_float32(sampler: Sampler) -> None:
    data, weight = of(sampler.process), torch.ones(1, requires_grad=True)

    def denoiser(x_t: Tensor, t: Tensor) -> Tensor:
        assert x_t.dtype == t.dtype == torch.float32
        return (weight * data.denoiser(x_t.double(), t)).bfloat16()

    x = Numbered(2, 3, 2, 2).draw(50).float()
    chain = uniform_time_chain(sampler.process, 1.0, 4)
    x0 = sampler.sample(denoiser, x, chain, GeneratorNoise((2, 3, 2, 2), torch.Generator()))
    assert x0.dtype == torch.float32
    assert not x0.requires_grad


def test_ancestral_sampling_takes_no_times() -> None:
    chain = uniform_time_chain(VP, 1.0, 3)
    with pytest.raises(ValueError, match="not of whole timesteps"):
        Ancestral(DDPM).sample(of(DDPM).denoiser, torch.zeros(1, 3, 1, 1), chain, Numbered(1, 3, 1, 1))
