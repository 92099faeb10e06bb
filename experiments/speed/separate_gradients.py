"""The image losses in the order of the public code, the baseline of the shared gradients."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss
from torch.profiler import record_function

from src.losses.adversarial import adaptive_weight, generator_hinge
from src.settings.stages import ImageLossSettings
from src.stages import autoencoder, cft, texture_fusion
from src.stages.image_objective import ImageObjective


def separate_image_objective(
    image: Tensor,
    target: Tensor,
    *,
    settings: ImageLossSettings,
    perceptual: nn.Module | None,
    discriminator: nn.Module | None,
    adaptive_layer: nn.Parameter,
    trunk: Tensor | None = None,
) -> ImageObjective:
    """`image_objective` as the public code orders it: every gradient of the adaptive weight is a pass of its own."""
    reconstruction = settings.pixel * l1_loss(image.float(), target.float())
    if perceptual is not None:
        reconstruction = reconstruction + settings.perceptual * perceptual(image, target)
    if discriminator is None:
        return ImageObjective(reconstruction, {"pixel": reconstruction.detach()})
    adversarial = generator_hinge(discriminator(image))
    with record_function("adaptive_weight"):
        at_layer = [_towards(loss, adaptive_layer) for loss in (reconstruction, adversarial)]
        weight = adaptive_weight(at_layer[0], at_layer[1], settings.adaptive_maximum)
    total = reconstruction + settings.adversarial * weight * adversarial
    return ImageObjective(total, {"pixel": reconstruction.detach(), "adaptive_weight": weight})


def _towards(loss: Tensor, layer: nn.Parameter) -> Tensor:
    return torch.autograd.grad(loss, layer, retain_graph=True)[0]


@contextmanager
def separate_gradients() -> Iterator[None]:
    """While open, every stage with image losses takes these."""
    with ExitStack() as stack:
        for module in (autoencoder, cft, texture_fusion):
            stack.enter_context(mock.patch.object(module, "image_objective", separate_image_objective))
        yield
