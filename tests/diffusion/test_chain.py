"""Partial chains."""

import numpy as np
import pytest

from src.diffusion.chain import Chain, log_snr_chain, respaced_chain, uniform_chain
from src.diffusion.schedule import NoiseSchedule
from src.settings.errors import UserError

SCHEDULE = NoiseSchedule.linear()


def test_published_restoration_is_the_first_hundred_of_ddim250() -> None:
    chain = uniform_chain(SCHEDULE, 400, 100)
    assert chain == respaced_chain(SCHEDULE, "ddim250", 100)
    assert chain == Chain(tuple(range(396, -1, -4)), start=400)
    assert uniform_chain(SCHEDULE, 480, 120) == respaced_chain(SCHEDULE, "ddim250", 120)


def test_first_version_starts_one_timestep_later() -> None:
    chain = respaced_chain(SCHEDULE, "250", 100)
    assert (chain.start, chain.timesteps[0], len(chain)) == (401, 397, 100)


def test_exact_chains_ask_at_the_start_first() -> None:
    assert uniform_chain(SCHEDULE, 400, 101, "exact") == Chain(tuple(range(400, -1, -4)), start=400)
    assert log_snr_chain(SCHEDULE, 400, 15).timesteps[0] == 400


@pytest.mark.parametrize("start", [1, 2, 3, 10, 97, 400, 999])
def test_chains_of_every_length_descend_to_zero(start: int) -> None:
    for steps in sorted({1, 2, 3, 7, 20, start // 2, start - 1, start} & set(range(1, start + 1))):
        published = uniform_chain(SCHEDULE, start, steps)
        assert published.timesteps[0] < start
        assert published.timesteps[-1] == 0
        for exact in (uniform_chain(SCHEDULE, start, steps, "exact"), log_snr_chain(SCHEDULE, start, steps)):
            assert exact.timesteps[0] == start
            assert exact.timesteps[-1] == (0 if steps > 1 else start)
            assert len(exact) == len(published) == steps


def test_log_snr_chain_is_uniform_where_timesteps_are_dense() -> None:
    fine = NoiseSchedule.linear(100_000)
    strides = np.diff(fine.log_snr[list(log_snr_chain(fine, 40_000, 20).timesteps)])
    spacing = np.abs(np.diff(fine.log_snr[:40_001])).max()
    np.testing.assert_allclose(strides, strides.mean(), atol=spacing)


def test_log_snr_chain_takes_the_nearest_timestep_or_the_next_free_one() -> None:
    """30 points over 5.3 units of lambda, where the first timesteps are 0.4 apart."""
    chain = log_snr_chain(SCHEDULE, 400, 30)
    grid = np.linspace(SCHEDULE.log_snr[400], SCHEDULE.log_snr[0], 30)
    nearest = [int(np.abs(SCHEDULE.log_snr - value).argmin()) for value in grid]
    assert len(set(nearest)) < 30
    for timestep, wished in zip(chain.timesteps, nearest, strict=True):
        assert timestep in (wished, wished + 1)


@pytest.mark.parametrize("make", [uniform_chain, log_snr_chain])
def test_start_and_steps_out_of_range_are_refused(make: type) -> None:
    for start in (-1, 0, 1000):
        with pytest.raises(UserError, match=f"start: {start} is not in 1 to 999"):
            make(SCHEDULE, start, 1)
    for steps in (-1, 0, 41):
        with pytest.raises(UserError, match=f"steps: {steps} is not in 1 to 40; from start 40 on"):
            make(SCHEDULE, 40, steps)


def test_an_index_outside_of_the_grid_is_refused() -> None:
    for index in (0, 250):
        with pytest.raises(UserError, match=f'step {index} of respacing "ddim250" is not in 1 to 249'):
            respaced_chain(SCHEDULE, "ddim250", index)


@pytest.mark.parametrize("timesteps", [(), (3, 3), (2, 3), (3, -1), (5, 0)])
def test_what_does_not_descend_from_the_start_is_no_chain(timesteps: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must descend from at most 4"):
        Chain(timesteps, start=4)
