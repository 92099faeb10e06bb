"""Timesteps of training batches."""

import pytest
import torch
from torch import Tensor

from src.diffusion.timestep_sampling import ImportanceSampling, stratified_timesteps, uniform_timesteps


def numbers(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, generator=torch.Generator().manual_seed(seed))


def loss_of(t: Tensor) -> Tensor:
    return 1.0 + 3.0 * t


def filled(steps: int, history: int = 3) -> ImportanceSampling:
    sampling = ImportanceSampling(steps, history)
    for _ in range(history):
        sampling.record(torch.arange(steps), loss_of(torch.arange(steps)))
    return sampling


def test_uniform_timesteps_are_equal_parts_of_the_unit_interval() -> None:
    u = (torch.arange(7000) + 0.5) / 7000
    assert uniform_timesteps(u, 1000).bincount().tolist() == [7] * 1000
    assert uniform_timesteps(torch.tensor([0.0, 1 - 2**-24]), 1000).tolist() == [0, 999]


@pytest.mark.parametrize(("batch", "steps"), [(8, 1000), (7, 100), (64, 10)])
def test_a_stratified_batch_has_one_timestep_of_each_part(batch: int, steps: int) -> None:
    position = torch.randperm(batch, generator=torch.Generator().manual_seed(1))
    t = stratified_timesteps(numbers(batch), position, batch, steps)
    first, last = position * steps // batch, ((position + 1) * steps - 1) // batch
    assert ((first <= t) & (t <= last)).all()


def test_stratified_timesteps_are_uniform_over_batches_and_vary_less_within() -> None:
    strata, free = [], []
    for seed in range(500):
        u = numbers(10, seed)
        strata.append(stratified_timesteps(u, torch.arange(10), 10, 20))
        free.append(uniform_timesteps(u, 20))
    counts = torch.cat(strata).bincount(minlength=20).double()
    assert ((counts - 250).abs() < 4 * (500 * 0.25) ** 0.5).all()
    variance_of_mean = [torch.stack(drawn).double().mean(1).var() for drawn in (strata, free)]
    assert variance_of_mean[0] < variance_of_mean[1] / 20


def test_importance_is_uniform_until_every_history_is_full() -> None:
    sampling = ImportanceSampling(4, history=2)
    sampling.record(torch.tensor([0, 1, 2, 3, 0, 1, 2]), torch.tensor([9.0] * 7))
    t, weight = sampling.draw((torch.arange(8) + 0.5) / 8)
    assert t.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert weight.tolist() == [1.0] * 8
    sampling.record(torch.tensor([3]), torch.tensor([1.0]))
    expected = torch.tensor([9.0, 9, 9, 41**0.5]).double()
    torch.testing.assert_close(sampling.probabilities(), 0.999 * expected / expected.sum() + 0.001 / 4)


def test_the_oldest_losses_are_forgotten() -> None:
    sampling = ImportanceSampling(2, history=3)
    for loss in (5.0, 1.0, 2.0, 3.0):
        sampling.record(torch.tensor([1]), torch.tensor([loss]))
    sampling.record(torch.tensor([0, 1, 0, 0]), torch.tensor([7.0, 4.0, 8.0, 9.0]))
    assert sorted(sampling.losses[1].tolist()) == [2, 3, 4]
    assert sorted(sampling.losses[0].tolist()) == [7, 8, 9]


def test_weights_keep_the_mean_over_timesteps() -> None:
    """On evenly spread u, the weighted mean of any loss is its mean over uniform timesteps."""
    sampling, u = filled(20), (torch.arange(200_000) + 0.5) / 200_000
    t, weight = sampling.draw(u)
    frequencies = t.bincount(minlength=20) / len(u)
    torch.testing.assert_close(frequencies.double(), sampling.probabilities(), rtol=0, atol=1e-5)
    assert (weight * loss_of(t)).mean().item() == pytest.approx(loss_of(torch.arange(20)).mean().item(), rel=1e-3)
    assert (weight * loss_of(t)).var() < loss_of(uniform_timesteps(u, 20)).var() / 100


def test_the_history_travels_in_the_state_dict() -> None:
    sampling, restored = filled(5), ImportanceSampling(5, history=3)
    restored.load_state_dict(sampling.state_dict())
    u = numbers(50)
    assert all(torch.equal(a, b) for a, b in zip(restored.draw(u), sampling.draw(u), strict=True))
    assert not torch.equal(restored.draw(u)[0], uniform_timesteps(u, 5))


def test_losses_of_zero_leave_it_uniform() -> None:
    sampling = ImportanceSampling(3, history=1)
    sampling.record(torch.arange(3), torch.zeros(3))
    assert sampling.probabilities().tolist() == [1 / 3] * 3
