"""The image losses of stages I and III: pixel, perceptual and adaptive hinge GAN, and the discriminator's step."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import l1_loss
from torch.profiler import record_function

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


def image_objective(
    image: Image,
    target: Image,
    *,
    settings: ImageLossSettings,
    perceptual: nn.Module | None,
    discriminator: nn.Module | None,
    adaptive_layer: nn.Parameter,
    trunk: Tensor | None = None,
) -> ImageObjective:
    """pixel + perceptual + factor * d * gan, with d = |grad_L rec| / |grad_L gan| for L = `adaptive_layer`.

    The losses are differentiated once with respect to the image; both gradients at L and the gradient of the sum are then
    products with those, which spares a second pass through the perceptual network and the discriminator (performance.md 3).

    `trunk` is a feature map through which alone trained weights reach the image, if there is one: what lies between is
    then passed twice instead of three times, once for each gradient, and the surrogate goes on from there. Same numbers
    but for rounding.
    """
    leaf = image.detach().requires_grad_()
    gradient, terms = _reconstruction(leaf, target, settings, perceptual)
    if discriminator is None:
        return ImageObjective(_surrogate(image, gradient), terms)
    with record_function("adversarial"):
        adversarial = generator_hinge(discriminator(leaf))
        gradients = [gradient, _gradient(adversarial, leaf)]
    with record_function("adaptive_weight"):
        if trunk is not None:
            gradients, image = [_towards(image, trunk, g) for g in gradients], trunk
        at_layer = [_towards(image, adaptive_layer, g) for g in gradients]
        weight = adaptive_weight(at_layer[0], at_layer[1], settings.adaptive_maximum)
    terms |= {"adversarial": adversarial.detach(), "adaptive_weight": weight}
    return ImageObjective(_surrogate(image, gradients[0] + settings.adversarial * weight * gradients[1]), terms)


def _reconstruction(
    leaf: Image, target: Image, settings: ImageLossSettings, perceptual: nn.Module | None
) -> tuple[Image, dict[str, Tensor]]:
    """Gradient of pixel + perceptual with respect to the image, and the terms."""
    pixel = l1_loss(leaf.float(), target.float())
    if perceptual is None or settings.perceptual <= 0:
        return _gradient(settings.pixel * pixel, leaf), {"pixel": pixel.detach()}
    with record_function("perceptual"):
        distance = perceptual(leaf, target)
        gradient = _gradient(settings.pixel * pixel + settings.perceptual * distance, leaf)
    return gradient, {"pixel": pixel.detach(), "perceptual": distance.detach()}


def _gradient(value: Tensor, leaf: Tensor) -> Tensor:
    return torch.autograd.grad(value, leaf)[0]


def _towards(output: Tensor, of: Tensor, gradient: Tensor) -> Tensor:
    """Gradient with respect to `of` of what has `gradient` with respect to `output`."""
    return torch.autograd.grad(output, of, grad_outputs=gradient.to(output.dtype), retain_graph=True)[0]


def _surrogate(feature: Tensor, gradient: Tensor) -> Float[Tensor, ""]:
    return (feature.float() * gradient.detach().float()).sum()


def discriminator_loss(discriminator: nn.Module, real: Image, fake: Image) -> ImageObjective:
    """Hinge terms on the real and the restored faces, passed separately (BatchNorm statistics per call, as published)."""
    on_real = discriminator_hinge_real(discriminator(real))
    on_fake = discriminator_hinge_fake(discriminator(fake.detach()))
    terms = {"discriminator_real": on_real.detach(), "discriminator_fake": on_fake.detach()}
    return ImageObjective(on_real + on_fake, terms)
