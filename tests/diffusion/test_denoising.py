"""What a prior is shown to do, on normal data, for which the best network is known."""

import pytest
import torch
from torch import Tensor

from src.diffusion.denoising import denoised, denoising_curve, unconditional_samples
from src.diffusion.forward_process import noised
from src.diffusion.schedule import NoiseSchedule
from src.settings.errors import UserError
from tests.diffusion.gaussian import GaussianData, standardised_normal

SCHEDULE = NoiseSchedule.linear()
MEAN = torch.tensor([0.3, -0.2, 0.1])
COVARIANCE = torch.tensor([[0.30, 0.10, 0.00], [0.10, 0.20, -0.05], [0.00, -0.05, 0.08]])
DATA = GaussianData(SCHEDULE, MEAN, COVARIANCE)


def images_and_noise(count: int = 400) -> tuple[Tensor, Tensor]:
    """Draws of the data and of noise whose sample moments, also those between the two, are exact."""
    both = standardised_normal(count, 6, seed=0)
    x0 = DATA.mean + both[:, :3] * DATA.variances.sqrt() @ DATA.axes.T
    return x0.view(count, 3, 1, 1), both[:, 3:].reshape(count, 3, 1, 1)


def test_the_guess_is_the_mean_of_the_posterior() -> None:
    x0, z = images_and_noise()
    shown = denoised(SCHEDULE, DATA.denoiser, x0, 400, z)
    assert torch.equal(shown.state, noised(SCHEDULE, x0, torch.full((len(x0),), 400), z))
    torch.testing.assert_close(shown.guess, DATA.posterior_mean(shown.state, 400))
    epsilon = DATA.denoiser(shown.state, torch.tensor([400]))
    torch.testing.assert_close(shown.error, (epsilon - z).square().mean((1, 2, 3)))


def test_the_guess_is_clipped_and_the_error_is_not() -> None:
    x0, z = images_and_noise()
    free, bound = (denoised(SCHEDULE, DATA.denoiser, x0, 900, z, clip) for clip in (None, 0.2))
    assert free.guess.abs().max() > 0.2
    assert torch.equal(bound.guess, free.guess.clamp(-0.2, 0.2))
    assert torch.equal(bound.error, free.error)


def test_the_curve_is_what_no_network_can_do_better() -> None:
    """The variance of epsilon given x_t, a v / (a v + 1 - a) along an axis of variance v, with a = alpha_bar_t."""
    curve = denoising_curve(SCHEDULE, DATA.denoiser, *images_and_noise(), points=5)
    assert list(curve) == [0, 250, 500, 749, 999]
    for timestep, error in curve.items():
        signal = float(SCHEDULE.alphas_cumprod[timestep]) * DATA.variances
        expected = signal / (signal + 1 - float(SCHEDULE.alphas_cumprod[timestep]))
        assert error == pytest.approx(expected.mean().item(), rel=1e-6)


def test_samples_have_the_datas_moments() -> None:
    z = standardised_normal(400, 3, seed=1).view(400, 3, 1, 1)
    samples = unconditional_samples(SCHEDULE, DATA.denoiser, z, steps=40)
    mean, covariance = DATA.whitened_moments(samples)
    torch.testing.assert_close(mean, torch.zeros(3).double(), rtol=0, atol=0.02)
    torch.testing.assert_close(covariance, torch.eye(3).double(), rtol=0, atol=0.02)
    assert torch.equal(unconditional_samples(SCHEDULE, DATA.denoiser, z[:7], steps=40), samples[:7])


def test_so_many_evaluations_and_no_more_than_the_process_has() -> None:
    asked: list[int] = []

    def network(x_t: Tensor, t: Tensor) -> Tensor:
        asked.append(int(t[0]))
        return DATA.denoiser(x_t, t)

    z = torch.zeros(1, 3, 1, 1).double()
    unconditional_samples(SCHEDULE, network, z, steps=6)
    assert (len(asked), asked[0], asked[-1]) == (6, 999, 0)
    with pytest.raises(UserError, match="steps: 1000 is not in 1 to 999"):
        unconditional_samples(SCHEDULE, network, z, steps=1000)
