"""The published prior in the loop (GOLDEN.md, chain.* and unet.r250.*)."""

import numpy as np
import pytest
import torch
from torch import Tensor

from src.checkpoints.published import DIFFUSION_UNET512_SIZE
from src.diffusion.chain import respaced_chain
from src.diffusion.ddim import Ddim
from src.diffusion.error_contraction import transition
from src.diffusion.forward_process import posterior_mean
from src.diffusion.model_output import learned_log_variance, predicted_x0, split_output
from src.diffusion.respacing import respaced
from src.diffusion.schedule import NoiseSchedule
from src.networks import DiffusionUnet
from tests.diffusion.golden import normal, uniform
from tests.networks.difface_weights import with_golden_weights

SCHEDULE = NoiseSchedule.linear()
SHAPE = (1, 3, 64, 64)
Golden = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def unet() -> DiffusionUnet:
    network = with_golden_weights(DiffusionUnet(DIFFUSION_UNET512_SIZE))
    assert isinstance(network, DiffusionUnet)
    return network


class StoredNoise:
    """Step j of GOLDEN.md, counted from 0 there and from 1 here, has G(10 + j)."""

    def draw(self, number: int) -> Tensor:
        return normal(9 + number, *SHAPE)


def near(actual: Tensor, expected: np.ndarray, atol: float) -> None:
    torch.testing.assert_close(actual, torch.from_numpy(expected), rtol=0, atol=atol)


@pytest.mark.parametrize("eta", [0.0, 0.5])
def test_three_steps_of_the_published_chain(unet: DiffusionUnet, golden: Golden, eta: float) -> None:
    chain = respaced_chain(SCHEDULE, "ddim250", 3)
    x_start = transition(SCHEDULE, uniform(8, *SHAPE), chain.start, normal(9, *SHAPE))
    near(x_start, golden["chain.ddim250.yt"], 2e-5)
    restored = Ddim(SCHEDULE, eta, clip=1.0).sample(unet, x_start, chain, StoredNoise())
    near(restored, golden[f"chain.ddim250.eta{eta}"], 5e-4)


@torch.no_grad()
def test_mean_and_variance_of_one_step(unet: DiffusionUnet, golden: Golden) -> None:
    process, t, x_t = respaced(SCHEDULE, "250"), torch.tensor([99]), uniform(5, 3, 3, 64, 64)[:1]
    epsilon, interpolation = split_output(unet(x_t, torch.from_numpy(process.timestep_map)[t]), x_t)
    assert interpolation is not None
    x0 = predicted_x0(process, x_t, epsilon, t).clamp(-1, 1)
    found = {
        "pred_xstart": x0,
        "mean": posterior_mean(process, x0, x_t, t),
        "log_variance": learned_log_variance(process, interpolation, t),
    }
    for name, value in found.items():
        near(value[..., ::2, ::2], golden[f"unet.r250.t99.pmv.{name}_s2"], 5e-4)
