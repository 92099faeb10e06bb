"""Hinge losses and the adaptive weight."""

import pytest
import torch

from src.losses.adversarial import adaptive_weight, discriminator_hinge_fake, discriminator_hinge_real, generator_hinge

SCORES = torch.tensor([-2.0, -0.5, 0.5, 3.0]).view(1, 1, 2, 2)


def test_hinge_losses_in_closed_form() -> None:
    assert generator_hinge(SCORES).item() == pytest.approx(-0.25)
    assert discriminator_hinge_real(SCORES).item() == pytest.approx((3 + 1.5 + 0.5 + 0) / 4)
    assert discriminator_hinge_fake(SCORES).item() == pytest.approx((0 + 0.5 + 1.5 + 4) / 4)


def test_scores_beyond_the_hinge_get_no_gradient() -> None:
    scores = SCORES.clone().requires_grad_()
    (real,) = torch.autograd.grad(discriminator_hinge_real(scores), scores)
    (fake,) = torch.autograd.grad(discriminator_hinge_fake(scores), scores)
    (own,) = torch.autograd.grad(generator_hinge(scores), scores)
    assert real.flatten().tolist() == [-0.25, -0.25, -0.25, 0]
    assert fake.flatten().tolist() == [0, 0.25, 0.25, 0.25]
    assert own.flatten().tolist() == [-0.25] * 4


def test_adaptive_weight_is_the_ratio_of_the_norms() -> None:
    reconstruction, adversarial = torch.tensor([[3.0, 0.0], [0.0, 4.0]]), torch.tensor([[6.0, 0.0], [8.0, 0.0]])
    assert adaptive_weight(reconstruction, adversarial, 1.0).item() == pytest.approx(5 / (10 + 1e-4), rel=1e-6)


def test_adaptive_weight_is_clamped() -> None:
    large, small = torch.full((4,), 10.0), torch.full((4,), 1e-3)
    assert adaptive_weight(large, small, 1.0).item() == 1
    assert adaptive_weight(large, small, 1e4).item() == pytest.approx(20 / (2e-3 + 1e-4), rel=1e-5)
    assert adaptive_weight(torch.zeros(4), small, 1.0).item() == 0
    assert adaptive_weight(small, torch.zeros(4), 1e4).item() == pytest.approx(2e-3 / 1e-4, rel=1e-4)


def test_adaptive_weight_has_no_graph_and_is_float32() -> None:
    gradient = torch.ones(3, dtype=torch.bfloat16, requires_grad=True)
    weight = adaptive_weight(gradient * 2, gradient * 4, 1.0)
    assert not weight.requires_grad
    assert weight.dtype == torch.float32
    assert weight.item() == pytest.approx(0.5, rel=1e-3)
