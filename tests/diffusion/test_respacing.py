"""Respaced processes."""

import numpy as np
import pytest

from src.diffusion.respacing import observed_at, respaced, respaced_timesteps
from src.diffusion.schedule import NoiseSchedule
from src.settings.errors import UserError

CURVES = (
    "betas",
    "alphas_cumprod",
    "posterior_variance",
    "posterior_log_variance_clipped",
    "posterior_mean_coef1",
    "posterior_mean_coef2",
)


@pytest.mark.parametrize(("name", "spec"), [("base1000", "1000"), ("r250", "250"), ("ddim250", "ddim250")])
def test_every_coefficient_is_the_published_one(golden: dict[str, np.ndarray], name: str, spec: str) -> None:
    schedule = NoiseSchedule.linear() if name == "base1000" else respaced(NoiseSchedule.linear(), spec)
    np.testing.assert_array_equal(schedule.timestep_map, golden[f"sched.{name}.timestep_map"])
    for curve in CURVES:
        np.testing.assert_allclose(getattr(schedule, curve), golden[f"sched.{name}.{curve}"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("spec", ["100", "50", "25", "10", "ddim100", "ddim50", "ddim25", "ddim10", "10,15,20"])
def test_grids_are_the_published_ones(golden: dict[str, np.ndarray], spec: str) -> None:
    np.testing.assert_array_equal(respaced_timesteps(spec, 1000), golden[f"sched.map.{spec}"])


def test_the_two_published_grids_of_250_differ_at_the_start() -> None:
    stretched, strided = (respaced_timesteps(spec, 1000) for spec in ("250", "ddim250"))
    assert (stretched[99], stretched[100], stretched[-1]) == (397, 401, 999)
    assert (strided[99], strided[100], strided[120], strided[-1]) == (396, 400, 480, 996)


def test_a_respaced_process_has_the_noise_levels_of_its_origin() -> None:
    origin = NoiseSchedule.cosine(300)
    once = respaced(origin, "20,10")
    np.testing.assert_allclose(once.alphas_cumprod, origin.alphas_cumprod[once.timestep_map], atol=1e-15)
    twice = observed_at(once, [0, 7, 29])
    np.testing.assert_array_equal(twice.timestep_map, once.timestep_map[[0, 7, 29]])
    np.testing.assert_allclose(twice.alphas_cumprod, origin.alphas_cumprod[twice.timestep_map], atol=1e-15)


def test_edges_of_the_specification() -> None:
    assert respaced_timesteps("1", 7) == [0]
    assert respaced_timesteps("ddim1", 7) == [0]
    assert respaced_timesteps("7", 7) == respaced_timesteps("ddim7", 7) == list(range(7))
    assert respaced_timesteps("3,2,2", 7) == list(range(7))
    assert respaced_timesteps(" 1, 2", 7) == [0, 4, 6]


@pytest.mark.parametrize("spec", ["", "ddim", "0", "-3", "2.5", "1001", "10,,20", "ddim0", "ddim1001", "twenty", "٣"])
def test_what_is_no_respacing_is_refused(spec: str) -> None:
    with pytest.raises(UserError, match=f'respacing: "{spec}" is no respacing of 1000 steps.*from 1 to 1000'):
        respaced_timesteps(spec, 1000)


def test_what_no_grid_can_meet_is_refused() -> None:
    with pytest.raises(UserError, match=r'"ddim300" does not exist.*ddim250.*ddim334.*or write "300"'):
        respaced_timesteps("ddim300", 1000)
    with pytest.raises(UserError, match="400 steps of a section of 333; give 1 to 333"):
        respaced_timesteps("10,400,20", 1000)
    for indices in ([], [3, 3], [4, 2], [-1, 2], [0, 1000]):
        with pytest.raises(ValueError, match="must ascend within 0 to 999"):
            observed_at(NoiseSchedule.linear(), indices)
