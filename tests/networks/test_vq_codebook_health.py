"""Usage, perplexity and dead codes over a window, and their restart."""

import pytest
import torch

from src.networks import CodebookHealth, VectorQuantizer, histogram, restart_dead_codes
from src.networks.codebook_health import perplexity


def test_perplexity_of_equal_shares_is_their_number() -> None:
    assert perplexity(torch.tensor([3, 3, 0, 3, 3])).item() == pytest.approx(4.0)
    assert perplexity(torch.tensor([0, 7, 0])).item() == pytest.approx(1.0)


def test_window_forgets_old_batches() -> None:
    health = CodebookHealth(codebook_size=4, window=2)
    for codes in ([0, 0], [1, 1], [2, 1]):
        health.update(histogram(torch.tensor(codes), 4))
    assert health.counts().tolist() == [0, 3, 1, 0]
    assert health.usage().item() == 0.5
    shares = torch.tensor([0.75, 0.25])
    assert health.perplexity().item() == pytest.approx(torch.exp(-(shares * shares.log()).sum()).item())
    assert health.dead().tolist() == [True, False, False, True]


def test_no_code_is_dead_before_the_window_is_full() -> None:
    health = CodebookHealth(codebook_size=3, window=2)
    health.update(histogram(torch.tensor([0]), 3))
    assert not health.dead().any()
    health.update(histogram(torch.tensor([0]), 3))
    assert health.dead().tolist() == [False, True, True]
    health.reset()
    assert not health.dead().any()
    assert health.counts().sum() == 0


def test_state_survives_a_checkpoint() -> None:
    health = CodebookHealth(codebook_size=4, window=3)
    for codes in ([0], [1], [2], [3]):
        health.update(histogram(torch.tensor(codes), 4))
    resumed = CodebookHealth(codebook_size=4, window=3)
    resumed.load_state_dict(health.state_dict())
    for each in (health, resumed):
        each.update(histogram(torch.tensor([3]), 4))
    assert torch.equal(resumed.counts(), health.counts())
    assert resumed.counts().tolist() == [0, 0, 1, 2]


def test_a_histogram_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"4 counts.*\(3,\)"):
        CodebookHealth(codebook_size=4, window=1).update(torch.tensor([1, 2, 3]))
    with pytest.raises(ValueError, match="window 0"):
        CodebookHealth(codebook_size=4, window=0)


@pytest.mark.parametrize("dead_count", [0, 3, 8])
def test_restart_puts_encoder_outputs_in_place_of_dead_codes(dead_count: int) -> None:
    quantizer = VectorQuantizer(10, 5)
    before = quantizer.embedding.weight.detach().clone()
    dead = torch.arange(10) < dead_count
    latent = torch.randn(1, 5, 2, 3)
    generator = torch.Generator().manual_seed(1)
    assert restart_dead_codes(quantizer, dead, latent, generator) == dead_count
    after = quantizer.embedding.weight.detach()
    assert torch.equal(after[~dead], before[~dead])
    points = latent.permute(0, 2, 3, 1).reshape(-1, 5)
    matches = (after[dead][:, None] == points[None]).all(2)
    assert matches.any(1).all()
    assert len(after[dead].unique(dim=0)) == min(dead_count, len(points))
    assert quantizer.embedding.weight.requires_grad

    again = VectorQuantizer(10, 5)
    restart_dead_codes(again, dead, latent, torch.Generator().manual_seed(1))
    assert torch.equal(again.embedding.weight[dead], after[dead])
