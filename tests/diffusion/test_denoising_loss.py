"""The training objectives."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from src.diffusion.denoising_loss import hybrid_loss, simple_loss
from src.diffusion.model_output import split_output
from src.diffusion.respacing import respaced
from src.diffusion.schedule import NoiseSchedule
from src.diffusion.variational_bound import discretized_gaussian_nll, gaussian_kl

SCHEDULE = NoiseSchedule.linear()


def batch(*shape: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    levels = torch.randint(0, 256, shape, generator=generator)
    z, output = (torch.randn(shape[0], c, *shape[2:], generator=generator) for c in (shape[1], 2 * shape[1]))
    return levels / 127.5 - 1, z, output


def _normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_kl_is_that_of_normal_distributions() -> None:
    mean, other, log_variance, other_log_variance = _normal(4, 2, 3, 4, 5).unbind()
    first, second = Normal(mean, (log_variance / 2).exp()), Normal(other, (other_log_variance / 2).exp())
    expected = kl_divergence(first, second).flatten(1).mean(1) / math.log(2)
    torch.testing.assert_close(gaussian_kl(mean, log_variance, other, other_log_variance), expected)


def test_nll_is_the_mass_of_the_level() -> None:
    """Against the exact distribution function, from which the published tanh differs by less than 4e-4."""
    levels, mean, deviation = torch.linspace(-1, 1, 256, dtype=torch.float64), 0.1, 0.3
    edges = torch.cat([torch.tensor([-math.inf]), (levels[1:] + levels[:-1]) / 2, torch.tensor([math.inf])])
    mass = torch.from_numpy(np.diff(norm.cdf((edges - mean) / deviation)))
    x0 = levels.view(256, 1, 1, 1)
    log_variance = torch.full_like(x0, 2 * math.log(deviation))
    found = torch.exp2(-discretized_gaussian_nll(x0, torch.full_like(x0, mean), log_variance))
    torch.testing.assert_close(found, mass, rtol=0, atol=4e-4)
    assert found.sum().item() == pytest.approx(1, abs=1e-9)


def test_impossible_levels_cost_a_bounded_number_of_bits() -> None:
    x0, mean = torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.9)
    nll = discretized_gaussian_nll(x0, mean, torch.full_like(x0, -12.0))
    assert nll.item() == pytest.approx(12 * math.log2(10), rel=1e-5)


def test_a_perfect_network_costs_nothing() -> None:
    """Epsilon as it was drawn, and v = -1, which is the posterior's variance."""
    x0, z, _ = batch(4, 2, 8, 8)
    t = torch.tensor([1, 10, 500, 999])
    terms = hybrid_loss(SCHEDULE, lambda x, t: torch.cat([z, -torch.ones_like(z)], dim=1), x0, t, z)
    assert terms.vb is not None
    assert terms.mse.abs().max() == 0
    torch.testing.assert_close(terms.vb, torch.zeros(4), rtol=0, atol=1e-5)


def test_the_bound_moves_the_variance_alone() -> None:
    x0, z, output = batch(3, 2, 8, 8)
    output.requires_grad_()
    t = torch.tensor([0, 3, 700])
    terms = hybrid_loss(SCHEDULE, lambda x, t: output, x0, t, z, bound_weight=0.5)
    assert terms.vb is not None
    torch.testing.assert_close(terms.loss, terms.mse + 0.5 * terms.vb)
    (of_bound,) = torch.autograd.grad(terms.vb.sum(), output, retain_graph=True)
    (of_mse,) = torch.autograd.grad(terms.mse.sum(), output)
    assert (of_bound[:, :2] == 0).all()
    assert (of_bound[:, 2:] != 0).any(dim=(1, 2, 3)).all()
    torch.testing.assert_close(of_mse[:, :2], 2 * (output[:, :2] - z) / z[0].numel())
    assert (of_mse[:, 2:] == 0).all()


def test_simple_loss_takes_either_kind_of_network() -> None:
    x0, z, output = batch(2, 4, 4, 4)
    t = torch.tensor([5, 900])
    of_both, of_epsilon = (simple_loss(SCHEDULE, lambda x, t, o=o: o, x0, t, z) for o in (output, output[:, :4]))
    assert torch.equal(of_both.loss, of_epsilon.loss)
    assert of_both.vb is None
    with pytest.raises(ValueError, match="twice the channels"):
        hybrid_loss(SCHEDULE, lambda x, t: output[:, :4], x0, t, z)


def test_a_respaced_process_tells_the_network_its_own_timesteps() -> None:
    x0, z, output = batch(3, 2, 4, 4)
    told: list[Tensor] = []

    def network(x_t: Tensor, t: Tensor) -> Tensor:
        told.append(t)
        return output

    hybrid_loss(respaced(SCHEDULE, "ddim250"), network, x0, torch.tensor([0, 1, 249]), z)
    assert told[0].tolist() == [0, 4, 996]


def test_half_precision_output_is_compared_in_float32() -> None:
    x0, z, output = batch(3, 2, 4, 4)
    t, half = torch.tensor([0, 10, 700]), output.bfloat16()
    low, full = (hybrid_loss(SCHEDULE, lambda x, t, o=o: o, x0, t, z) for o in (half, half.float()))
    assert torch.equal(low.loss, full.loss)
    assert low.loss.dtype == torch.float32
    epsilon, interpolation = split_output(half, z)
    assert interpolation is not None
    assert epsilon.dtype == interpolation.dtype == torch.float32
