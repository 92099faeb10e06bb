"""The transition from a restored image."""

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from src.diffusion.error_contraction import contraction, kappa, transition, transition_kl
from src.diffusion.schedule import NoiseSchedule

SCHEDULE = NoiseSchedule.linear()


@pytest.mark.parametrize(
    ("start", "root", "ratio"),
    [
        (100, 0.9461, 8.54),
        (200, 0.8102, 1.91),
        (300, 0.6277, 0.650),
        (400, 0.43997, 0.2400),
        (480, 0.3080, 0.1048),
        (500, 0.2789, 0.0844),
        (600, 0.1599, 0.0262),
    ],
)
def test_factors_of_the_fact_sheet(start: int, root: float, ratio: float) -> None:
    assert contraction(SCHEDULE, start) == pytest.approx(root, abs=6e-5)
    assert kappa(SCHEDULE, start) == pytest.approx(ratio, rel=3e-3)


def test_kl_is_that_of_the_two_normal_distributions() -> None:
    x0, restored = torch.randn(2, 3, 4, 5, 2, generator=torch.Generator().manual_seed(0)).double().unbind()
    signal = SCHEDULE.alphas_cumprod[250]
    ideal, actual = (Independent(Normal(signal**0.5 * x, (1 - signal) ** 0.5), 3) for x in (x0, restored))
    torch.testing.assert_close(transition_kl(SCHEDULE, x0 - restored, 250), kl_divergence(actual, ideal))


def test_the_error_enters_contracted() -> None:
    """The same noise after two restored images: their states differ by the contracted difference alone."""
    first, second, z = torch.randn(3, 2, 3, 4, 4, generator=torch.Generator().manual_seed(1)).unbind()
    difference = transition(SCHEDULE, first, 400, z) - transition(SCHEDULE, second, 400, z)
    torch.testing.assert_close(difference, 0.439966 * (first - second), rtol=1e-4, atol=1e-5)
