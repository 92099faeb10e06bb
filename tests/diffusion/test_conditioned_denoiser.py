"""What a conditional network is asked."""

import pytest
import torch
from torch import Tensor

from src.diffusion.conditioned_denoiser import ConditionedDenoiser
from src.diffusion.noise_level import LatentProcess
from src.diffusion.schedule import NoiseSchedule
from src.diffusion.sde import VarianceExploding, VariancePreserving

Z, CONDITION = torch.randn(2, 3, 2, 4, 4, generator=torch.Generator().manual_seed(0))
T = torch.tensor([0.1, 0.5, 1.0])


class Recorded:
    """A network that notes what it is given."""

    def __init__(self) -> None:
        self.given: list[tuple[Tensor, Tensor, Tensor]] = []

    def __call__(self, z: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        self.given.append((z, time, condition))
        return z + condition.square()


@pytest.mark.parametrize("process", [VariancePreserving(), VarianceExploding(0.01, 157.0)], ids=["vp", "ve"])
def test_the_network_sees_unit_variance_at_every_time(process: LatentProcess) -> None:
    network = Recorded()
    alpha, sigma = (values.view(-1, 1, 1, 1) for values in process.marginal(T))
    z_t = alpha * Z + sigma * Z.flip(0)
    epsilon = ConditionedDenoiser(process, network, CONDITION)(z_t, T)
    [(z, time, condition)] = network.given
    torch.testing.assert_close(z, z_t / (alpha**2 + sigma**2).sqrt())
    torch.testing.assert_close(time, 999 * T)
    assert condition is CONDITION
    assert torch.equal(epsilon, z + CONDITION.square())


def test_a_discrete_process_tells_its_timesteps_and_leaves_the_state() -> None:
    network, t = Recorded(), torch.tensor([0, 10, 999])
    ConditionedDenoiser(NoiseSchedule.sqrt_linear(), network, CONDITION)(Z, t)
    torch.testing.assert_close(network.given[0][0], Z)
    assert torch.equal(network.given[0][1], t)


@pytest.mark.parametrize("weight", [0, 0.5, 3.0])
def test_classifier_free_guidance_leads_away_from_no_condition(weight: int | float) -> None:
    network, process = Recorded(), VariancePreserving()
    epsilon = ConditionedDenoiser(process, network, CONDITION, weight)(Z, T)
    scaled = network.given[0][0]
    assert [condition.any().item() for _, _, condition in network.given] == [True, False]
    torch.testing.assert_close(epsilon, scaled + weight * CONDITION.square())
