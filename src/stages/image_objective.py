"""The image losses of stages I and III: pixel, perceptual and adaptive hinge GAN, and the discriminator's step."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from src.losses.adversarial import (
    adaptive_weight,
    discriminator_hinge_fake,
    discriminator_hinge_real,
    generator_hinge,
)
from src.settings.stages import ImageLossSettings

Image = Float[Tensor, "b 3 h w"]


class ImageObjective(NamedTuple):
    """`surrogate` has the gradient of the weighted sum with respect to the image; `terms` are the values for logging."""

    surrogate: Float[Tensor, ""]
    terms: dict[str, Tensor]


def _gradient(value: Tensor, leaf: Tensor) -> Tensor:
    return torch.autograd.grad(value, leaf)[0]


def image_objective(
    image: Image,
    target: Image,
    *,
    settings: ImageLossSettings,
    perceptual: nn.Module | None,
    discriminator: nn.Module | None,
    adaptive_layer: nn.Parameter,
) -> ImageObjective:
    """pixel + perceptual + factor * d * gan, with d = |grad_L rec| / |grad_L gan| for L = `adaptive_layer`.

    The losses are differentiated once with respect to the image; both gradients at L and the gradient of the sum are then
    products with those, which spares a second pass through the perceptual network and the discriminator (performance.md 3).
    """
    leaf = image.detach().requires_grad_()
    pixel = l1_loss(leaf.float(), target.float())
    terms = {"pixel": pixel.detach()}
    reconstruction = settings.pixel * pixel
    if perceptual is not None and settings.perceptual > 0:
        distance = perceptual(leaf, target)
        terms["perceptual"] = distance.detach()
        reconstruction = reconstruction + settings.perceptual * distance
    gradient = _gradient(reconstruction, leaf)
    if discriminator is not None:
        adversarial = generator_hinge(discriminator(leaf))
        towards_real = _gradient(adversarial, leaf)
        at_layer = [_at_layer(image, adaptive_layer, g) for g in (gradient, towards_real)]
        weight = adaptive_weight(at_layer[0], at_layer[1], settings.adaptive_maximum)
        terms |= {"adversarial": adversarial.detach(), "adaptive_weight": weight}
        gradient = gradient + settings.adversarial * weight * towards_real
    return ImageObjective((image.float() * gradient.detach().float()).sum(), terms)


def _at_layer(image: Image, layer: nn.Parameter, image_gradient: Image) -> Tensor:
    return torch.autograd.grad(image, layer, grad_outputs=image_gradient.to(image.dtype), retain_graph=True)[0]


def discriminator_loss(discriminator: nn.Module, real: Image, fake: Image) -> ImageObjective:
    """Hinge terms on the real and the restored faces, passed separately (BatchNorm statistics per call, as published)."""
    on_real = discriminator_hinge_real(discriminator(real))
    on_fake = discriminator_hinge_fake(discriminator(fake.detach()))
    terms = {"discriminator_real": on_real.detach(), "discriminator_fake": on_fake.detach()}
    return ImageObjective(on_real + on_fake, terms)
