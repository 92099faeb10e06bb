"""Masks that no one learned, against which the learned latent mask has to prove itself (clr_face.md 6).

All are "b c h w" in [0, 1] on the latent's grid. `random` and `edges` are as large as the learned mask: they have as many
ones as its values sum up to, rounded, which for a binary mask is its exact area.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, conv2d, pad

from src.degradation.keyed import SampleKey, keyed_uniforms, stream_number
from src.losses.image_similarity import luma

Mask = Float[Tensor, "b c h w"]
FacePlane = Float[Tensor, "b 1 h_face w_face"]
Area = Int[Tensor, "b"]

RANDOM = stream_number("random_latent_mask")
SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))
"""Eight times the derivative along x, per pixel."""


def control_mask(
    name: str,
    like: Mask,
    *,
    keys: Sequence[SampleKey] = (),
    components: FacePlane | None = None,
    face: Float[Tensor, "b 3 h_face w_face"] | None = None,
) -> Mask:
    """The control of that name among `MASKS` of src.settings.clr_face, of the shape of `like`, the learned mask.

    `random` takes its area and `keys`, `edges` its area and `face`, `components` the soft component mask of the faces.

    Raises:
        ValueError: no such control, or what it needs is not given.
    """
    if name in ("ones", "zeros"):
        return torch.full_like(like, float(name == "ones"))
    if name == "random" and len(keys) == len(like):
        return random_mask(like, keys)
    if name == "components" and components is not None:
        return components_mask(like, components)
    if name == "edges" and face is not None:
        return edges_mask(like, face)
    raise ValueError(
        f"{name!r} is no control mask (ones, zeros, random, components, edges), or lacks what it is made of"
    )


def mask_area(mask: Mask) -> Area:
    """Sum of each face's mask, rounded: the ones that a binary mask of the same size has."""
    return mask.double().sum((1, 2, 3)).round().long()


def random_mask(like: Mask, keys: Sequence[SampleKey]) -> Mask:
    """Ones at random entries of all channels, as many as in `like`, drawn by the face's key alone.

    A larger area of the same key holds the smaller one. Raises ValueError for an illegal key.
    """
    count = like[0].numel()
    scores = torch.from_numpy(np.stack([keyed_uniforms(key, RANDOM, count) for key in keys]))
    return _greatest(scores.to(like.device).view(like.shape), mask_area(like)).to(like)


def components_mask(like: Mask, components: FacePlane) -> Mask:
    """Area averages of the faces' soft component mask in [0, 1], in all channels alike."""
    return adaptive_avg_pool2d(components.to(like), (like.shape[2], like.shape[3])).expand_as(like)


def edges_mask(like: Mask, face: Float[Tensor, "b 3 h_face w_face"]) -> Mask:
    """Ones at the cells with the strongest edges of faces in [-1, 1], in all channels of them, as many as in `like`.

    An area that the channels do not divide leaves the weakest of these cells with its first channels alone.
    """
    strength = adaptive_avg_pool2d(gradient_magnitude(face), (like.shape[2], like.shape[3]))
    return _greatest(strength.expand_as(like), mask_area(like)).to(like)


def gradient_magnitude(face: Float[Tensor, "b 3 h_face w_face"]) -> FacePlane:
    """Of BT.601 luma in [0, 1], per pixel, by Sobel's kernels; the border is repeated outside."""
    along_x = face.new_tensor(SOBEL, dtype=torch.float32) / 8
    slopes = conv2d(pad(luma(face), (1, 1, 1, 1), mode="replicate"), torch.stack([along_x, along_x.T])[:, None])
    return slopes.norm(dim=1, keepdim=True)


def _greatest(scores: Mask, area: Area) -> Mask:
    """1 at the `area` greatest scores of each face; of equal ones, at the first cell's, then at the first channel's."""
    by_cell = scores.permute(0, 2, 3, 1)
    order = by_cell.flatten(1).argsort(dim=1, descending=True, stable=True)
    is_chosen = order.argsort(dim=1) < area[:, None]
    return is_chosen.view(by_cell.shape).permute(0, 3, 1, 2).float()
