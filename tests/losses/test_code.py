"""Losses on predicted codes."""

import pytest
import torch
from torch.nn.functional import one_hot

from src.losses.code import code_accuracy, feature_loss, token_loss

BATCH, HEIGHT, WIDTH, CODES = 2, 3, 4, 7


def random_codes() -> torch.Tensor:
    return torch.randint(0, CODES, (BATCH, HEIGHT, WIDTH), generator=torch.Generator().manual_seed(0))


def random_logits() -> torch.Tensor:
    return torch.randn(BATCH, HEIGHT * WIDTH, CODES, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
def test_token_loss_is_the_mean_of_minus_log_softmax_in_row_order(dtype: torch.dtype) -> None:
    logits, codes = random_logits(), random_codes()
    likelihood = logits.exp() / logits.exp().sum(-1, keepdim=True)
    total = 0.0
    for b in range(BATCH):
        for row in range(HEIGHT):
            for column in range(WIDTH):
                total -= likelihood[b, row * WIDTH + column, codes[b, row, column]].log().item()
    assert token_loss(logits, codes.to(dtype)).item() == pytest.approx(total / codes.numel(), rel=1e-5)


def test_uniform_logits_cost_the_logarithm_of_the_codebook() -> None:
    loss = token_loss(torch.zeros(BATCH, HEIGHT * WIDTH, CODES), random_codes())
    assert loss.item() == pytest.approx(torch.tensor(float(CODES)).log().item())


def test_half_precision_logits_are_compared_in_float32() -> None:
    logits = random_logits().bfloat16()
    assert token_loss(logits, random_codes()) == token_loss(logits.float(), random_codes())


def test_feature_loss_moves_the_latent_only() -> None:
    latent = torch.zeros(1, 2, 2, 2, requires_grad=True)
    target = torch.arange(8.0).view(1, 2, 2, 2).requires_grad_()
    loss = feature_loss(latent, target)
    assert loss.item() == pytest.approx(140 / 8)
    loss.backward()
    assert target.grad is None
    torch.testing.assert_close(latent.grad, -2 * target.detach() / 8)


def test_accuracy_of_constructed_logits() -> None:
    """The target gets rank 0, 1, 2, ... over the tokens, so that exactly `top` of every CODES tokens are hit."""
    codes = torch.arange(CODES).view(1, 1, CODES)
    ranks = torch.arange(CODES)
    logits = torch.stack([-((torch.arange(CODES) - codes[0, 0, t] + ranks[t]) % CODES).float() for t in range(CODES)])
    for top in range(1, CODES + 1):
        assert code_accuracy(logits[None], codes, top).item() == pytest.approx(top / CODES)


def test_accuracy_in_row_order_and_at_chance() -> None:
    codes = random_codes()
    perfect = one_hot(codes.flatten(1), CODES).float()
    assert code_accuracy(perfect, codes, 1) == 1
    assert code_accuracy(perfect, codes.flip(2), 1) < 1
    generator = torch.Generator().manual_seed(2)
    many = torch.randint(0, 20, (1, 100, 100), generator=generator)
    guesses = torch.rand(1, 10_000, 20, generator=generator)
    for top in (1, 5):
        chance = top / 20
        assert abs(code_accuracy(guesses, many, top).item() - chance) < 4 * (chance * (1 - chance) / 10_000) ** 0.5
