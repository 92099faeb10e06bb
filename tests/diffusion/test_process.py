"""The settings of a process become its coefficients."""

import numpy as np
import pytest

from src.diffusion.process import PUBLISHED, noise_schedule
from src.diffusion.schedule import NoiseSchedule
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
