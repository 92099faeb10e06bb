"""Additive angular margin loss."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from src.losses.angular_margin import angular_margin_loss


def example() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    return normalize(torch.randn(6, 8)), torch.randn(4, 8) * 3, torch.tensor([0, 1, 2, 3, 0, 1])


def test_without_margin_it_is_softmax_over_scaled_cosines() -> None:
    embedding, centres, labels = example()
    expected = cross_entropy(16 * embedding @ normalize(centres).T, labels)
    torch.testing.assert_close(angular_margin_loss(embedding, centres, labels, 0.0, 16.0), expected)


def test_known_angles_in_closed_form() -> None:
    embedding, centres = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.5, math.sqrt(0.75)], [0.0, 2.0]])
    measured = angular_margin_loss(embedding, centres, torch.tensor([0]), 0.5, 4.0)
    own, other = 4 * math.cos(math.pi / 3 + 0.5), 4 * math.cos(math.pi / 2)
    assert measured.item() == pytest.approx(math.log(math.exp(own) + math.exp(other)) - own, rel=1e-5)


def test_a_larger_margin_costs_more() -> None:
    losses = [angular_margin_loss(*example(), margin, 16.0).item() for margin in (0.0, 0.2, 0.5, 1.0)]
    assert losses == sorted(losses)
    assert losses[0] < losses[-1]


def test_a_margin_past_the_opposite_costs_no_less() -> None:
    """Near theta = pi the cosine would rise again."""
    embedding, centres = torch.tensor([[-1.0, 0.0]]), torch.eye(2)
    near = angular_margin_loss(embedding, centres, torch.tensor([0]), 0.0, 4.0)
    past = angular_margin_loss(embedding, centres, torch.tensor([0]), 0.8, 4.0)
    torch.testing.assert_close(near, past)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_gradient_is_finite_on_and_opposite_to_a_centre(sign: float) -> None:
    embedding = torch.tensor([[1.0, 0.0, 0.0]], requires_grad=True)
    centres = (sign * torch.eye(3)).requires_grad_()
    loss = angular_margin_loss(embedding, centres, torch.tensor([0], dtype=torch.int32), 0.5, 30.0)
    for gradient in torch.autograd.grad(loss, (embedding, centres)):
        assert gradient.isfinite().all()
