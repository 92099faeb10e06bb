"""Noise schedules."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from src.diffusion.forward_process import noised, posterior_mean
from src.diffusion.schedule import NoiseSchedule, cosine_betas, gather, linear_betas
from src.settings.errors import UserError


def test_linear_betas_keep_the_total_noise_at_any_number_of_steps() -> None:
    ends = [NoiseSchedule.linear(steps).log_snr[-1] for steps in (1000, 4000, 16_000)]
    np.testing.assert_allclose(ends, ends[0], rtol=0.03)
    np.testing.assert_allclose(linear_betas(3, 1e-4, 2e-4), [1 / 30, 1.5 / 30, 2 / 30], rtol=1e-12)


def test_cosine_betas_give_the_cosine() -> None:
    schedule = NoiseSchedule.cosine(500)
    angles = (np.arange(1, 501) / 500 + 0.008) / 1.008 * np.pi / 2
    expected = (np.cos(angles) / np.cos(0.008 / 1.008 * np.pi / 2)) ** 2
    unclipped = schedule.betas < 0.999
    assert unclipped[:-1].all()
    np.testing.assert_allclose(schedule.alphas_cumprod[:-1], expected[:-1], rtol=1e-9)
    assert cosine_betas(500)[-1] == 0.999


def test_posterior_follows_from_bayes() -> None:
    """q(x_{t-1} | x_t, x_0) in proportion to q(x_t | x_{t-1}) q(x_{t-1} | x_0), multiplied out on a fine grid."""
    schedule, t, x0, x_t = NoiseSchedule.linear(50), 7, 0.3, -0.4
    grid = np.linspace(-6, 6, 200_001)
    prior = norm(schedule.alphas_cumprod_prev[t] ** 0.5 * x0, (1 - schedule.alphas_cumprod_prev[t]) ** 0.5)
    likelihood = norm((1 - schedule.betas[t]) ** 0.5 * grid, schedule.betas[t] ** 0.5)
    density = prior.pdf(grid) * likelihood.pdf(x_t)
    density /= density.sum()
    mean = (grid * density).sum()
    ones = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    assert posterior_mean(schedule, x0 * ones, x_t * ones, torch.tensor([t])).item() == pytest.approx(mean, abs=1e-9)
    assert schedule.posterior_variance[t] == pytest.approx(((grid - mean) ** 2 * density).sum(), rel=1e-7)


def test_each_sample_is_noised_at_its_own_timestep() -> None:
    schedule, t = NoiseSchedule.linear(), torch.tensor([0, 500, 999], dtype=torch.int32)
    x0, z = torch.randn(2, 3, 5, 2, 4, generator=torch.Generator().manual_seed(0)).unbind()
    x_t = noised(schedule, x0, t, z)
    for i, step in enumerate((0, 500, 999)):
        signal = float(np.prod(1 - schedule.betas[: step + 1]))
        torch.testing.assert_close(x_t[i], signal**0.5 * x0[i] + (1 - signal) ** 0.5 * z[i])


@pytest.mark.parametrize(
    ("given", "gathered"), [(torch.bfloat16, torch.float32), (torch.float32, torch.float32), (torch.float64,) * 2]
)
def test_coefficients_are_float32_at_least(given: torch.dtype, gathered: torch.dtype) -> None:
    values = gather(NoiseSchedule.linear().betas, torch.tensor([3, 4]), torch.zeros(2, 1, 8, 8, dtype=given))
    assert values.dtype == gathered
    assert values.shape == (2, 1, 1, 1)


def test_impossible_betas_are_refused() -> None:
    with pytest.raises(UserError, match=r"linear betas from 0\.01 to 2 over 10 steps are not all in \(0, 1\)"):
        linear_betas(10)
    with pytest.raises(UserError, match="first_beta and last_beta"):
        linear_betas(1000, first=0.0)
    for betas in ([], [0.0, 0.1], [0.5, 1.0], [np.nan]):
        with pytest.raises(ValueError, match="one or more numbers in"):
            NoiseSchedule.from_betas(np.array(betas, dtype=np.float64))


def test_a_process_of_one_step_has_finite_coefficients() -> None:
    schedule = NoiseSchedule.from_betas(np.array([0.3]))
    assert schedule.posterior_variance[0] == 0
    assert np.exp(schedule.posterior_log_variance_clipped[0]) == pytest.approx(0.3)
