"""Learnable latent masks: their start, their gates and what they depend on."""

from dataclasses import asdict
from typing import Any

import pytest
import torch
from torch import Tensor

from src.networks import AdaptiveLatentMask, GlobalLatentMask, LatentMask
from src.networks.latent_mask import build_latent_mask
from src.settings.clr_face import GATES, MASK_KINDS
from src.settings.scale import LatentMaskSize

SIZE = LatentMaskSize(width=8, layers=3)
SHAPE = (2, 3, 6, 6)
PART = torch.tensor([0.1, 0.9])


def settings(kind: str, initial: float = 0.3, temperature: float = 0.5) -> dict[str, Any]:
    sizes = {"channels": 3, "side": 6, "latent_mask": asdict(SIZE)}
    return {"kind": kind, "temperature": temperature, "initial": initial} | sizes


def latents() -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))


def spread(weights: Tensor) -> GlobalLatentMask:
    """A global mask with these W."""
    mask = GlobalLatentMask(3, 6, temperature=0.5, initial=0.5)
    mask.load_state_dict({"weight": weights})
    return mask


@pytest.mark.parametrize("kind", MASK_KINDS)
@pytest.mark.parametrize("initial", [0.02, 0.5, 0.9])
@torch.no_grad()
def test_every_gate_starts_at_its_initial_value(kind: str, initial: float) -> None:
    mask = build_latent_mask(settings(kind, initial))
    soft = mask.soft(latents(), PART)
    torch.testing.assert_close(soft, torch.full(SHAPE, initial))
    assert torch.equal(mask(latents(), PART), soft)
    assert torch.equal(mask.trained(latents(), PART, torch.rand(SHAPE), "soft"), soft)
    assert torch.equal(mask.hard(latents(), PART), torch.full(SHAPE, float(initial > 0.5)))


@torch.no_grad()
def test_a_global_mask_is_the_same_for_all_and_grows_with_its_weights() -> None:
    weights = torch.randn(3, 6, 6, generator=torch.Generator().manual_seed(1))
    mask = spread(weights)
    soft = mask.soft(latents(), PART)
    torch.testing.assert_close(soft[0], torch.sigmoid(weights / 0.5))
    assert torch.equal(soft[0], soft[1])
    assert torch.equal(mask.hard(latents(), PART)[0], (weights > 0).float())
    u = torch.rand(SHAPE)
    more = spread(weights + 0.3)
    for gates in GATES:
        grown = more.trained(latents(), PART, u, gates) - mask.trained(latents(), PART, u, gates)
        assert (grown >= 0).all()
        assert grown.mean() > 0


@torch.no_grad()
def test_an_adaptive_mask_sees_latent_and_time_of_each_face() -> None:
    torch.manual_seed(0)
    mask = AdaptiveLatentMask(SIZE, 3, temperature=1.0, initial=0.5)
    torch.nn.init.normal_(mask.get_parameter("layers.4.weight"))
    soft = mask.soft(latents(), PART)
    alone = torch.cat([mask.soft(latents()[i : i + 1], PART[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(soft, alone)
    for other in (mask.soft(latents().flip(0), PART), mask.soft(latents(), PART.flip(0))):
        assert ((other - soft).abs().amax((1, 2, 3)) > 1e-3).all()
    assert mask.soft(latents()[..., :4], PART).shape == (2, 3, 6, 4)


def test_straight_through_gates_are_binary_with_the_soft_gradient() -> None:
    mask = spread(torch.randn(3, 6, 6, generator=torch.Generator().manual_seed(1)))
    cost = torch.randn(SHAPE, generator=torch.Generator().manual_seed(2))
    gradients = []
    for gates in ("soft", "straight_through"):
        gate = mask.trained(latents(), PART, torch.rand(SHAPE), gates)
        gradients.append(torch.autograd.grad((cost * gate).sum(), mask.weight)[0])
    assert torch.equal(gate, mask.hard(latents(), PART))
    assert gate.unique().tolist() == [0.0, 1.0]
    assert torch.equal(*gradients)


def test_hard_concrete_gates_follow_the_paper() -> None:
    weights = torch.linspace(-1.5, 1.5, 108).view(3, 6, 6)
    mask = spread(weights)
    draws = (torch.arange(4000) + 0.5) / 4000
    u = draws.view(-1, 1, 1, 1).expand(-1, 3, 6, 6)
    condition, part = torch.zeros(4000, 3, 6, 6), torch.zeros(4000)
    gate = mask.trained(condition, part, u, "hard_concrete").detach()
    assert torch.equal(gate, mask.trained(condition, part, u, "hard_concrete"))
    assert gate.min() == 0
    assert gate.max() == 1
    # Probability of an exact 0, equation 12 of arXiv 1712.01312 (there: of its complement).
    logits = weights / 0.5
    closed = torch.sigmoid(2 / 3 * torch.log(torch.tensor(0.1 / 1.1)) - logits)
    torch.testing.assert_close((gate == 0).float().mean(0), closed, rtol=0, atol=1e-3)
    soft = mask.soft(condition[:1], part[:1])[0]
    torch.testing.assert_close((gate > 0.5).float().mean(0), soft, rtol=0, atol=1e-3)
    torch.testing.assert_close(gate.mean(0), soft, rtol=0, atol=0.03)


def test_hard_concrete_gradients_move_open_gates() -> None:
    mask = spread(torch.zeros(3, 6, 6))
    mask.trained(latents(), PART, torch.full(SHAPE, 0.5), "hard_concrete").sum().backward()
    assert mask.weight.grad is not None
    # d gate / d W = 1.2 sigmoid'(0) / (2/3) / temperature, for two faces.
    torch.testing.assert_close(mask.weight.grad, torch.full((3, 6, 6), 2 * 1.2 * 0.25 * 1.5 / 0.5))


def test_unknown_and_impossible_settings_are_refused() -> None:
    for change, message in (
        ({"kind": "local"}, "kind 'local' of a latent mask must be one of global, adaptive"),
        ({"initial": 1.0}, r"initial 1.0 in \(0, 1\)"),
        ({"temperature": 0.0}, "temperature 0.0 must be positive"),
        ({"kind": "adaptive", "latent_mask": {"width": 8, "layers": 1}}, "at least 2 layers, got 1"),
    ):
        with pytest.raises(ValueError, match=message):
            build_latent_mask(settings("global") | change)
    mask: LatentMask = build_latent_mask(settings("global"))
    with pytest.raises(ValueError, match="gates 'binary' must be one of soft,"):
        mask.trained(latents(), PART, torch.rand(SHAPE), "binary")
