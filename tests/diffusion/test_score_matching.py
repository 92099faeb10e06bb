"""Denoising score matching on normal data, for which the best score is known."""

import pytest
import torch
from torch import Tensor

from src.diffusion.noise_level import LatentProcess
from src.diffusion.sampler import Denoiser
from src.diffusion.schedule import NoiseSchedule
from src.diffusion.score_matching import antithetic_shares, score_matching_loss
from src.diffusion.sde import VarianceExploding, VariancePreserving
from tests.diffusion.gaussian import GaussianData, standardised_normal

MEAN = torch.tensor([0.3, -0.2, 0.1])
COVARIANCE = torch.tensor([[0.30, 0.10, 0.00], [0.10, 0.20, -0.05], [0.00, -0.05, 0.08]])
COUNT = 500
PROCESSES = (VariancePreserving(), VarianceExploding(0.01, 40.0), NoiseSchedule.sqrt_linear())


def latents_and_noise(data: GaussianData) -> tuple[Tensor, Tensor]:
    """Draws of the data and of noise whose sample moments, also those between the two, are exact."""
    both = standardised_normal(COUNT, 6, seed=0)
    z0 = data.mean + both[:, :3] * data.variances.sqrt() @ data.axes.T
    return z0.view(COUNT, 3, 1, 1), both[:, 3:].reshape(COUNT, 3, 1, 1)


@pytest.mark.parametrize("process", PROCESSES, ids=["vp", "ve", "ddpm"])
@pytest.mark.parametrize("part", [0.05, 0.3, 1.0])
def test_the_loss_of_the_true_score_is_minimal(process: LatentProcess, part: float) -> None:
    """It is the variance of the noise given z_t; every other affine score costs the mean square of its difference more."""
    data = GaussianData(process, MEAN, COVARIANCE)
    z0, noise = latents_and_noise(data)
    t = torch.full(
        (COUNT,), process.at(part), dtype=torch.float64 if isinstance(process.at(part), float) else torch.int64
    )

    def loss(denoiser: Denoiser) -> float:
        return score_matching_loss(process, denoiser, z0, t, noise).double().mean().item()

    level = process.level(process.at(part))
    signal = level.alpha**2 * data.variances
    assert loss(data.denoiser) == pytest.approx((signal / (signal + level.sigma**2)).mean().item(), rel=1e-5)
    z_t = level.state(z0, noise)
    for scale, shift in ((0.9, 0.0), (1.1, 0.0), (1.0, 0.05), (1.0, -0.05)):

        def perturbed(z_t: Tensor, t: Tensor, scale: float = scale, shift: float = shift) -> Tensor:
            return scale * data.denoiser(z_t, t) + shift

        excess = (perturbed(z_t, t) - data.denoiser(z_t, t)).square().mean().item()
        assert excess > 1e-5
        assert loss(perturbed) - loss(data.denoiser) == pytest.approx(excess, rel=1e-2)


@pytest.mark.parametrize("process", PROCESSES, ids=["vp", "ve", "ddpm"])
def test_tweedie_is_the_mean_of_the_posterior(process: LatentProcess) -> None:
    data = GaussianData(process, MEAN, COVARIANCE)
    for part in (0.05, 0.3, 1.0):
        t = process.at(part)
        z_t = data.state(t, standardised_normal(50, 3, seed=1))
        epsilon = data.denoiser(z_t, torch.tensor([t], dtype=torch.float64 if isinstance(t, float) else torch.int64))
        torch.testing.assert_close(process.level(t).x0(z_t, epsilon), data.posterior_mean(z_t, t))


@pytest.mark.parametrize("process", PROCESSES, ids=["vp", "ve", "ddpm"])
def test_every_latent_has_a_noise_of_its_own(process: LatentProcess) -> None:
    generator = torch.Generator().manual_seed(0)
    z0, noise = torch.randn(2, 5, 3, 4, 4, generator=generator)
    t = process.times(torch.rand(5, generator=generator))

    def denoiser(z_t: Tensor, t: Tensor) -> Tensor:
        return z_t.bfloat16() * t.view(-1, 1, 1, 1)

    losses = score_matching_loss(process, denoiser, z0, t, noise)
    assert losses.dtype == torch.float32
    for i in range(5):
        z_t = process.level(t[i].item()).state(z0[i : i + 1], noise[i : i + 1])
        expected = (denoiser(z_t, t[i : i + 1]) - noise[i]).square().mean()
        torch.testing.assert_close(losses[i], expected, rtol=1e-2, atol=0)


def test_times_come_in_antithetic_pairs() -> None:
    """Whatever part of the batch a rank sees: places 2 k and 2 k + 1 get t and its mirror image."""
    places = torch.tensor([0, 1, 2, 3, 7, 4])
    of_pairs = torch.rand(4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    u = antithetic_shares(of_pairs[places // 2], places)
    torch.testing.assert_close(u[[0, 2, 5]], of_pairs[:3])
    torch.testing.assert_close(u[[1, 3, 4]], 1 - of_pairs[[0, 1, 3]])
    vp = VariancePreserving()
    torch.testing.assert_close(vp.times(u)[0] + vp.times(u)[1], torch.tensor(1 + 1e-3, dtype=torch.float64))
    steps = NoiseSchedule.sqrt_linear().times(u)
    assert (steps[0] + steps[1]).item() == 999
