"""The noise levels of a global batch do not depend on how it is shared out."""

import pytest
import torch

from src.degradation.keyed import SampleKey
from src.stages.timestep_draws import TimestepDraws

CPU = torch.device("cpu")
BATCH, STEPS = 8, 1000


def keys(iteration: int, places: range) -> list[SampleKey]:
    return [SampleKey(0, iteration, place) for place in places]


def importance_in_use(steps: int = STEPS) -> TimestepDraws:
    """Draws whose losses grow with the timestep."""
    draws = TimestepDraws("importance", steps, BATCH)
    for _ in range(10):
        draws.record(torch.arange(steps), 1 + torch.arange(steps) / 100)
    return draws


@pytest.mark.parametrize(
    "draws", [TimestepDraws("uniform", STEPS, BATCH), TimestepDraws("stratified", STEPS, BATCH), importance_in_use()]
)
def test_two_ranks_draw_together_what_one_draws(draws: TimestepDraws) -> None:
    whole, weights = draws.draw(keys(3, range(BATCH)), CPU)
    for rank in (0, 1):
        timesteps, own = draws.draw(keys(3, range(rank, BATCH, 2)), CPU)
        assert torch.equal(timesteps, whole[rank::2])
        assert torch.equal(own, weights[rank::2])
    assert not torch.equal(draws.draw(keys(4, range(BATCH)), CPU)[0], whole)


def test_a_stratified_batch_has_one_timestep_of_each_part() -> None:
    draws = TimestepDraws("stratified", STEPS, BATCH)
    for iteration in range(20):
        timesteps, weights = draws.draw(keys(iteration, range(BATCH)), CPU)
        assert (timesteps // (STEPS // BATCH)).tolist() == list(range(BATCH))
        assert weights.tolist() == [1.0] * BATCH


def test_importance_takes_timesteps_of_great_loss_more_often_with_less_weight() -> None:
    draws = importance_in_use()
    timesteps, weights = draws.draw(keys(0, range(2000)), CPU)
    assert (timesteps >= STEPS // 2).float().mean() > 0.6
    assert weights[timesteps.argmax()] < 1 < weights[timesteps.argmin()]
    assert weights.mean().item() == pytest.approx(1, abs=0.05)
    assert set(draws.state_dict()) == {"importance.losses", "importance.count"}
    assert not TimestepDraws("uniform", STEPS, BATCH).state_dict()
