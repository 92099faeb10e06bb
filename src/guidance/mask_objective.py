"""What a latent mask is trained for (clr_face.md 6; both objectives are this suite's choice).

A, `identity_set`: the smallest set of latent features that carries identity. B, `guidance_gain`: where guidance pays. The
terms are means over the faces, unweighted, in float32; gradients flow to the mask alone.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from src.guidance.guide_gradient import Guide, guide_direction
from src.guidance.identity_guide import Decode, identity_distance
from src.losses.identity import Embed

Latent = Float[Tensor, "b c h w"]
Faces = Float[Tensor, "b 3 h_face w_face"]
Embedding = Float[Tensor, "b d"]
Scalar = Float[Tensor, ""]
Terms = dict[str, Scalar]
Perceptual = Callable[[Tensor, Tensor], Tensor]
"""Mean distance of restored faces to their targets, "b 3 h w" in [-1, 1]."""


def identity_set_terms(
    mask: Latent, z_clean: Latent, z_restored: Latent, decode: Decode, embed: Embed, target: Embedding
) -> Terms:
    """Objective A, of z_m = m z + (1 - m) z~: z clean, z~ restored without guidance.

    `identity`: 1 - cosine of G(z_m)'s embedding and `target`, the clean face's. `area`, `binary` and `smoothness`: mean m,
    mean m (1 - m), and total variation.
    """
    with torch.autocast(mask.device.type, enabled=False):
        mask = mask.float()
        mixed = mask * z_clean.detach() + (1 - mask) * z_restored.detach()
        identity = identity_distance(embed, decode(mixed), target).mean()
        return {"identity": identity, **mask_terms(mask)}


def guidance_gain_terms(
    mask: Latent,
    z0_hat: Latent,
    guide: Guide,
    decode: Decode,
    perceptual: Perceptual,
    embed: Embed,
    clean_face: Faces,
    target: Embedding,
    step: int | float,
) -> Terms:
    """Objective B, of z' = z0_hat - step m g, one step of guidance from an estimate of the clean latent.

    g is the guide's gradient at z0_hat, of root mean square 1 in each face, as in the sampler. `perceptual`: distance of
    G(z') to the clean face. `identity`: 1 - cosine of its embedding and `target`. `area`: mean m.
    """
    with torch.autocast(mask.device.type, enabled=False):
        guided = z0_hat.detach() - step * mask.float() * guide_direction(guide, z0_hat).unit
        face = decode(guided)
        identity = identity_distance(embed, face, target).mean()
        return {"perceptual": perceptual(face, clean_face), "identity": identity, "area": mask_terms(mask)["area"]}


def mask_terms(mask: Latent) -> Terms:
    """What both objectives may say of the mask itself: `area`, `binary` and `smoothness` as in `identity_set_terms`."""
    mask = mask.float()
    return {"area": mask.mean(), "binary": (mask * (1 - mask)).mean(), "smoothness": total_variation(mask)}


def total_variation(mask: Latent) -> Scalar:
    """Mean absolute difference of neighbours, over x and y alike; 0 along a side of one cell."""
    differences = (mask.diff(dim=3).abs(), mask.diff(dim=2).abs())
    return torch.stack([each.sum() / max(each.numel(), 1) for each in differences]).mean()
