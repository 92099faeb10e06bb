"""Chains over a part of a process."""

from collections.abc import Callable

import numpy as np
import pytest

from src.diffusion.chain import Chain, log_snr_chain, uniform_chain
from src.diffusion.noise_level import LatentProcess
from src.diffusion.schedule import NoiseSchedule
from src.diffusion.sde import Sde, VarianceExploding, VariancePreserving
from src.diffusion.time_chain import log_snr_time_chain, uniform_time_chain
from src.settings.errors import UserError

VP, VE, DDPM = VariancePreserving(), VarianceExploding(0.01, 157.0), NoiseSchedule.sqrt_linear()
Make = Callable[[LatentProcess, int | float, int], Chain]
BOTH = pytest.mark.parametrize("make", [uniform_time_chain, log_snr_time_chain])


@BOTH
@pytest.mark.parametrize("process", [VP, VE, DDPM], ids=["vp", "ve", "ddpm"])
@pytest.mark.parametrize("start_part", [0.05, 0.4, 1, 1.0])
def test_chains_of_every_length_run_from_the_start_to_the_end(
    make: Make, process: LatentProcess, start_part: int | float
) -> None:
    end = 0 if process is DDPM else 1e-3
    for steps in (1, 2, 3, 17, 40):
        chain = make(process, start_part, steps)
        assert chain.start == chain.timesteps[0] == process.at(start_part)
        assert len(chain) == steps
        assert steps == 1 or chain.timesteps[-1] == end


@pytest.mark.parametrize("sde", [VP, VE], ids=["vp", "ve"])
def test_strides_of_continuous_chains_are_equal(sde: Sde) -> None:
    np.testing.assert_allclose(np.diff(uniform_time_chain(sde, 0.8, 12).timesteps), (1e-3 - 0.8) / 11)
    strides = np.diff([sde.level(t).log_snr for t in log_snr_time_chain(sde, 0.8, 12).timesteps])
    np.testing.assert_allclose(strides, strides[0])


def test_chains_of_a_discrete_process_are_its_exact_ones() -> None:
    assert uniform_time_chain(DDPM, 0.4, 20) == uniform_chain(DDPM, 399, 20, "exact")
    assert log_snr_time_chain(DDPM, 1.0, 20) == log_snr_chain(DDPM, 999, 20)


@BOTH
def test_what_the_process_does_not_have_is_refused(make: Make) -> None:
    for start_part in (-0.1, 0.0, 1e-3, 1.01, float("nan")):
        with pytest.raises(UserError, match=f"start: {start_part} is not above 0.001 and at most 1"):
            make(VP, start_part, 5)
    for start_part in (0.0, 0.001, 1.01, float("nan")):
        with pytest.raises(
            UserError, match=f"start: {start_part} is not in 0.002 to 1, the part of the 1000 noising steps"
        ):
            make(DDPM, start_part, 1)
    for steps in (0, -3):
        with pytest.raises(UserError, match=f"steps: {steps} must be a whole number from 1 on"):
            make(VE, 0.5, steps)
    with pytest.raises(UserError, match="steps: 50 is not in 1 to 39; from start 39 on"):
        make(DDPM, 0.04, 50)


def test_times_are_no_timesteps() -> None:
    assert Chain((3, 0), start=3).whole_timesteps == (3, 0)
    with pytest.raises(ValueError, match="not of whole timesteps"):
        _ = uniform_time_chain(VP, 1.0, 3).whole_timesteps
