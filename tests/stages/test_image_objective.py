"""The shared image gradients give what the direct computation gives."""

import pytest
import torch
from torch import nn

from src.losses.adversarial import generator_hinge
from src.settings.stages import ImageLossSettings
from src.stages.image_objective import image_objective

SETTINGS = ImageLossSettings(
    pixel=1.0,
    perceptual=0.5,
    perceptual_network="none",
    adversarial=0.8,
    adversarial_start=0,
    adaptive_maximum=1.0,
)


class SquaredEdges(nn.Module):
    """A differentiable distance that is not the pixel distance."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return ((a - b).diff(dim=-1) ** 2).mean()


@pytest.mark.parametrize("adversarial", [False, True])
def test_gradients_equal_the_direct_computation(adversarial: bool) -> None:
    torch.manual_seed(0)
    body, last = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 3, 3, padding=1)
    critic, distance = nn.Sequential(nn.Conv2d(3, 1, 4, 2)), SquaredEdges()
    faces, target = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
    image = last(torch.tanh(body(faces)))
    objective = image_objective(
        image,
        target,
        settings=SETTINGS,
        perceptual=distance,
        discriminator=critic if adversarial else None,
        adaptive_layer=last.weight,
    )
    parameters = [*body.parameters(), *last.parameters()]
    shared = torch.autograd.grad(objective.surrogate, parameters)

    image = last(torch.tanh(body(faces)))
    total = (image - target).abs().mean() + 0.5 * distance(image, target)
    if adversarial:
        hinge = generator_hinge(critic(image))
        on_layer = [torch.autograd.grad(loss, last.weight, retain_graph=True)[0].norm() for loss in (total, hinge)]
        weight = (on_layer[0] / (on_layer[1] + 1e-4)).clamp(0, 1).detach()
        torch.testing.assert_close(objective.terms["adaptive_weight"], weight)
        total = total + 0.8 * weight * hinge
    for ours, direct in zip(shared, torch.autograd.grad(total, parameters), strict=True):
        torch.testing.assert_close(ours, direct, rtol=1e-4, atol=1e-6)


def test_the_discriminator_gets_no_gradient_from_the_generator_step() -> None:
    critic, last = nn.Conv2d(3, 1, 4, 2), nn.Conv2d(3, 3, 1)
    image = last(torch.randn(1, 3, 8, 8))
    objective = image_objective(
        image, image.detach(), settings=SETTINGS, perceptual=None, discriminator=critic, adaptive_layer=last.weight
    )
    objective.surrogate.backward()
    assert last.weight.grad is not None
    assert critic.weight.grad is None
