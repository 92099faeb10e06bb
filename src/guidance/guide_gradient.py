"""The gradient of a guide's loss, of the same length in every face whatever the loss's slope (clr_face.md 7)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Latent = Float[Tensor, "b c h w"]
Guide = Callable[[Tensor], Tensor]
"""Clean latents "b c h w" to a loss for each face "b", which must not depend on the other faces."""


class Direction(NamedTuple):
    """Where a face's loss rises most."""

    unit: Latent
    """Root mean square 1 in each face; 0 where the gradient is 0 or not finite."""
    is_finite: Bool[Tensor, "b"]


@contextmanager
def gradients() -> Iterator[None]:
    """Lets gradients be computed whatever the caller switched off: a sampler runs without, or in inference mode."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def guide_direction(guide: Guide, z0: Latent) -> Direction:
    """Of the guide's loss at clean latents, in float32; no gradient flows to `z0`."""
    with gradients():
        point = leaf(z0)
        return normalised(gradient_of(guide, point, point))


def leaf(z: Latent) -> Latent:
    """A copy in float32 by which to differentiate; call it within `gradients`."""
    return z.detach().clone().float().requires_grad_()


def gradient_of(guide: Guide, z0: Latent, by: Latent) -> Latent:
    """Of each face's loss at `z0` by the leaf that it was computed from."""
    with torch.autocast(z0.device.type, enabled=False):
        return torch.autograd.grad(guide(z0.float()).sum(), by)[0]


@torch.no_grad()
def normalised(gradient: Latent) -> Direction:
    """Each face's gradient over its root mean square."""
    is_finite = gradient.isfinite().flatten(1).all(1)
    finite = gradient.where(is_finite[:, None, None, None], 0)
    length = root_mean_square(finite)
    return Direction((finite / length.where(length > 0, 1)).float(), is_finite)


def root_mean_square(values: Latent) -> Float[Tensor, "b 1 1 1"]:
    """Of each face; float64, in which no float32 overflows and the order of the sum, which batches change, hardly counts."""
    return values.double().square().mean((1, 2, 3), keepdim=True).sqrt()
