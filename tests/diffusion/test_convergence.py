"""Orders of the solvers on the probability flow of normal data, whose paths are known."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from torch import Tensor

from src.diffusion.chain import Chain
from src.diffusion.ddim import Ddim
from src.diffusion.dpm_solver import DpmSolverPlusPlus
from src.diffusion.exponential_step import Node, exponential_step
from src.diffusion.heun import Heun
from src.diffusion.noise_level import NoiseLevel
from src.diffusion.sampler import Sampler
from src.diffusion.schedule import NoiseSchedule
from src.diffusion.unipc import UniPc, corrected
from tests.diffusion.gaussian import GaussianData, standardised_normal

# So many steps that whole timesteps do not disturb the grid in lambda.
SCHEDULE = NoiseSchedule.linear(100_000)
DATA = GaussianData(SCHEDULE, torch.tensor([0.5, -0.3, 0.1]), torch.tensor([0.4, 0.1, 0.03]).diag())
START, END = 30_000, 300


class NoNoise:
    def draw(self, number: int) -> Tensor:
        raise AssertionError("a deterministic sampler drew noise")


def error(sampler: Sampler, steps: int) -> float:
    """Of E[x_0 | x_END] at the end of the path, mean over samples."""
    z = standardised_normal(100, 3, seed=0)
    grid = np.linspace(SCHEDULE.log_snr[START], SCHEDULE.log_snr[END], steps + 1)
    timesteps = tuple(int(np.abs(SCHEDULE.log_snr - value).argmin()) for value in grid)
    x0 = sampler.sample(DATA.denoiser, DATA.state(START, z), Chain(timesteps, START), NoNoise())
    return (x0 - DATA.posterior_mean(DATA.state(END, z), END)).abs().mean().item()


@pytest.mark.parametrize(
    ("sampler", "order"),
    [(Ddim(SCHEDULE, eta=0.0), 1), (DpmSolverPlusPlus(SCHEDULE), 2), (Heun(SCHEDULE), 2), (UniPc(SCHEDULE), 3)],
)
def test_the_error_falls_with_the_order(sampler: Sampler, order: int) -> None:
    """The corrector of UniPC adds one order to its predictor (arXiv 2302.04867, section 3.2)."""
    coarse, fine = error(sampler, 48), error(sampler, 96)
    assert np.log2(coarse / fine) == pytest.approx(order, abs=0.12)


def test_the_corrector_is_exact_for_a_parabola() -> None:
    """sigma_t / sigma_s x_s + sigma_t times the integral of e^lambda x_0, with the integral by quadrature."""

    def level(log_snr: float) -> NoiseLevel:
        alpha = float(1 / np.sqrt(1 + np.exp(-2 * log_snr)))
        return NoiseLevel(alpha, float(alpha * np.exp(-log_snr)), log_snr)

    def parabola(log_snr: float) -> float:
        return 0.3 - 0.8 * log_snr + 0.5 * log_snr**2

    def node(log_snr: float) -> Node:
        return Node(level(log_snr), torch.full((1, 1, 1, 1), parabola(log_snr), dtype=torch.float64))

    behind, here, there = -0.7, -0.2, 0.9
    integral, _ = quad(lambda log_snr: np.exp(log_snr) * parabola(log_snr), here, there)
    exact = level(there).sigma * (2.0 / level(here).sigma + integral)
    x = torch.full((1, 1, 1, 1), 2.0, dtype=torch.float64)
    step = exponential_step(x, level(here), level(there), corrected([node(behind), node(here)], node(there)))
    assert step.item() == pytest.approx(exact, rel=1e-12)
