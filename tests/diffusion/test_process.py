"""The settings of a process become its coefficients."""

import numpy as np
import pytest

from src.diffusion.process import PUBLISHED, build_process, noise_schedule
from src.diffusion.schedule import NoiseSchedule
from src.diffusion.sde import VarianceExploding, VariancePreserving
from src.settings.clr_face import SdeSettings
from src.settings.difface import DiffusionProcessSettings
from src.settings.errors import UserError


def process(steps: int, schedule: str = "linear", first: float = 1e-4, last: float = 0.02) -> NoiseSchedule:
    return noise_schedule(DiffusionProcessSettings(steps=steps, schedule=schedule, first_beta=first, last_beta=last))


def test_the_published_process_has_the_published_noise_levels() -> None:
    """difface.md 1, values of the fact sheet's table."""
    schedule = noise_schedule(PUBLISHED)
    assert (schedule.betas[0], schedule.betas[-1], len(schedule)) == (1e-4, 0.02, 1000)
    found = schedule.alphas_cumprod[[100, 200, 300, 400, 500, 600]]
    np.testing.assert_allclose(found, [0.8951, 0.6563, 0.3940, 0.19357, 0.0778, 0.0256], atol=5e-5)


def test_every_setting_counts() -> None:
    np.testing.assert_array_equal(process(200, first=2e-4, last=0.01).betas, 5 * np.linspace(2e-4, 0.01, 200))
    np.testing.assert_array_equal(process(50, "cosine").betas, NoiseSchedule.cosine(50).betas)


def test_betas_out_of_range_are_refused() -> None:
    with pytest.raises(UserError, match=r"over 10 steps are not all in \(0, 1\)"):
        process(10)


def settings(kind: str, **changed: int | float | None) -> SdeSettings:
    values = {"beta_min": 0.2, "beta_max": 15.0, "smallest_time": 0.01, "sigma_min": 0.05, "sigma_max": None}
    return SdeSettings(**({"kind": kind, "steps": 100, "first_beta": 0.002, "last_beta": 0.01} | values | changed))


def test_every_setting_of_a_latent_process_counts() -> None:
    assert build_process(settings("vp"), 12) == VariancePreserving(0.2, 15.0, 0.01)
    assert build_process(settings("ve", sigma_max=7.0), 12) == VarianceExploding(0.05, 7.0, 0.01)
    ddpm = build_process(settings("ddpm"), 12)
    assert isinstance(ddpm, NoiseSchedule)
    np.testing.assert_allclose(ddpm.betas, 10 * np.linspace(0.002**0.5, 0.01**0.5, 100) ** 2)


def test_variance_explodes_to_the_distance_of_two_latents() -> None:
    """clr_face.md 4: 157 for 64 x 64 x 3."""
    process = build_process(settings("ve"), 64 * 64 * 3)
    assert process.level(1.0).sigma == pytest.approx(156.77, abs=0.01)
    with pytest.raises(UserError, match=r"sigma_min: 200 is not below sigma_max, 156\.767"):
        build_process(settings("ve", sigma_min=200.0), 64 * 64 * 3)


def test_square_root_linear_betas_out_of_range_are_refused() -> None:
    with pytest.raises(UserError, match=r"square-root-linear betas from 0.15 to 1.95 over 10 steps are not all in"):
        build_process(settings("ddpm", steps=10, first_beta=0.0015, last_beta=0.0195), 12)
