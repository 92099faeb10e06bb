"""Noise levels of the continuous and of the discrete processes."""

import math

import numpy as np
import pytest
import torch

from src.diffusion.noise_level import LatentProcess, NoiseLevel
from src.diffusion.schedule import NoiseSchedule
from src.diffusion.sde import Sde, VarianceExploding, VariancePreserving

VP, VE, DDPM = VariancePreserving(), VarianceExploding(0.01, 157.0), NoiseSchedule.sqrt_linear()
SDES = pytest.mark.parametrize("sde", [VP, VE], ids=["vp", "ve"])
PROCESSES = pytest.mark.parametrize("process", [VP, VE, DDPM], ids=["vp", "ve", "ddpm"])


def test_ends_of_the_processes() -> None:
    """clr_face.md 10.4."""
    assert VP.level(1.0).alpha == pytest.approx(0.0066, abs=5e-5)
    assert 0.9999 < VP.level(1.0).sigma < 1
    assert VE.level(0.0) == pytest.approx((1.0, 0.01, math.log(100)))
    assert VE.level(1.0).sigma == pytest.approx(157.0)


def test_latent_diffusions_betas() -> None:
    """Their square roots are equally spaced, from 0.0015 to 0.0195 in 1000 steps; fewer steps reach the same noise."""
    assert (DDPM.betas[0], DDPM.betas[-1], len(DDPM)) == (pytest.approx(0.0015), pytest.approx(0.0195), 1000)
    np.testing.assert_allclose(np.diff(np.sqrt(DDPM.betas)), (0.0195**0.5 - 0.0015**0.5) / 999, rtol=1e-9)
    assert NoiseSchedule.sqrt_linear(200).log_snr[-1] == pytest.approx(DDPM.log_snr[-1], abs=0.15)


@SDES
def test_drift_and_diffusion_make_the_marginal(sde: Sde) -> None:
    """d alpha / dt = drift_rate alpha; d sigma^2 / dt = 2 drift_rate sigma^2 + g^2 (Song et al., appendix B)."""
    for t in (0.01, 0.2, 0.5, 0.9):
        here, before, after = (sde.level(t + shift) for shift in (0.0, -1e-5, 1e-5))
        growth = (after.alpha - before.alpha) / 2e-5
        assert growth == pytest.approx(sde.drift_rate(t) * here.alpha, rel=1e-6, abs=1e-12)
        growth = (after.sigma**2 - before.sigma**2) / 2e-5
        assert growth == pytest.approx(2 * sde.drift_rate(t) * here.sigma**2 + sde.diffusion(t) ** 2, rel=1e-6)


@SDES
def test_a_log_snr_has_its_time(sde: Sde) -> None:
    for t in (1e-3, 0.05, 0.4, 1.0):
        assert sde.time(sde.level(t).log_snr) == pytest.approx(t, rel=1e-9)


@PROCESSES
def test_a_batch_has_the_levels_of_its_times(process: LatentProcess) -> None:
    t = process.times(torch.tensor([0.0, 0.001, 0.3, 0.999]))
    alpha, sigma = process.marginal(t)
    levels = [process.level(time.item()) for time in t]
    assert alpha.dtype == sigma.dtype == torch.float32
    torch.testing.assert_close(alpha, torch.tensor([level.alpha for level in levels]))
    torch.testing.assert_close(sigma, torch.tensor([level.sigma for level in levels]))
    for level in levels:
        assert level.log_snr == pytest.approx(math.log(level.alpha / level.sigma), abs=1e-9)


@PROCESSES
def test_the_parts_of_a_process(process: LatentProcess) -> None:
    """Time runs over the whole process, and the network is told it on the scale of 1000 steps."""
    end = process.at(1)
    assert process.level(end).log_snr == min(process.level(process.at(part)).log_snr for part in (0.001, 0.25, 0.8, 1))
    shares = torch.linspace(0, 1 - 1e-7, 5)
    t = process.times(shares)
    assert t[0].item() == pytest.approx(0 if process is DDPM else 1e-3)
    assert t[-1].item() == pytest.approx(end, rel=1e-6)
    torch.testing.assert_close(process.network_time(t).float(), 999 * shares, rtol=0, atol=1.001)


def test_the_time_of_a_variance_exploding_process_is_affine_in_its_log_sigma() -> None:
    t = torch.linspace(0.001, 1, 6)
    told, log_sigma = VE.network_time(t), VE.marginal(t)[1].log()
    slopes = (told[1:] - told[:-1]) / (log_sigma[1:] - log_sigma[:-1])
    torch.testing.assert_close(slopes, slopes[:1].expand(5))


def test_a_part_of_a_discrete_process_ends_with_a_timestep() -> None:
    assert [DDPM.at(part) for part in (1e-6, 0.001, 0.002, 0.4, 1)] == [0, 0, 1, 399, 999]
    for timestep in (-1, 1000, 0.5):
        with pytest.raises(ValueError, match=f"timestep {timestep} is no whole number from 0 to 999"):
            DDPM.level(timestep)


def test_what_follows_from_a_level_agrees() -> None:
    level = NoiseLevel(0.6, 0.8, math.log(0.75))
    x0, z = torch.randn(2, 5, 3, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x_t = level.state(x0, z)
    torch.testing.assert_close(x_t, 0.6 * x0 + 0.8 * z)
    torch.testing.assert_close(level.x0(x_t, z), x0)
    torch.testing.assert_close(level.epsilon(x_t, x0), z)
    torch.testing.assert_close(level.score(x_t, x0), -z / 0.8)
