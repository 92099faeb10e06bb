"""Score model of latents."""

import pytest
import torch

from src.networks import DiffusionUnet, LatentScoreUnet
from tests.diffusion.golden import uniform
from tests.networks.difface_weights import with_golden_weights
from tests.small_networks import DIFFUSION_UNET

Z, CONDITION = uniform(0, 3, 4, 16, 8), uniform(1, 3, 8, 16, 8)
TIME = torch.tensor([1.0, 400.5, 999.0])


@pytest.fixture
def network() -> LatentScoreUnet:
    """One none of whose weights is zero."""
    network = with_golden_weights(LatentScoreUnet(DIFFUSION_UNET, 4, 8))
    assert isinstance(network, LatentScoreUnet)
    return network


@torch.no_grad()
def test_it_depends_on_latent_condition_and_time_of_each_face(network: LatentScoreUnet) -> None:
    noise = network(Z, TIME, CONDITION)
    assert noise.shape == Z.shape
    alone = torch.cat([network(Z[i : i + 1], TIME[i : i + 1], CONDITION[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(noise, alone, rtol=1e-4, atol=1e-5)
    for other in (
        network(Z.flip(0), TIME, CONDITION),
        network(Z, TIME + 0.4, CONDITION),
        network(Z, TIME, torch.zeros_like(CONDITION)),
        network(Z, TIME, torch.cat([CONDITION[:, :4], 0 * CONDITION[:, 4:]], dim=1)),
    ):
        assert ((other - noise).abs().amax((1, 2, 3)) > 1e-3)[[0, 2]].all()


@torch.no_grad()
def test_the_noise_is_float32_under_autocast(network: LatentScoreUnet) -> None:
    expected = network(Z, TIME, CONDITION)
    with torch.autocast("cpu", torch.bfloat16):
        halved = network(Z, TIME, CONDITION)
    assert halved.dtype == torch.float32
    assert 0 < (halved - expected).abs().max() < 0.1 * expected.std()


def test_the_prior_keeps_its_channels_and_every_score_parameter_learns(network: LatentScoreUnet) -> None:
    prior = DiffusionUnet(DIFFUSION_UNET)
    assert (prior.in_channels, prior.out_channels) == (3, 6)
    assert {f"unet.{key}" for key in prior.state_dict()} == set(network.state_dict())
    network.train()(Z, TIME, CONDITION).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in network.parameters())


def test_latents_that_cannot_be_halved_are_refused(network: LatentScoreUnet) -> None:
    assert network.stride == 4
    with pytest.raises(ValueError, match="multiples of 4, got an image of 16 x 6"):
        network(Z[..., :6], TIME, CONDITION[..., :6])
