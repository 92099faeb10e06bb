"""What OpenCV's interpolations read: places and weights of the taps along one axis, for a batch of sides."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from src.degradation.canvas import device_tensor, to_device

_CUBIC = -0.75
_NEGLIGIBLE = 1e-3

Places = Int64[Tensor, "g j k"]
Weights = Float32[Tensor, "g j k"]
Shares = Float32[Tensor, "g j"]


def tap_table(
    interpolation: str, sources: Sequence[int], targets: Sequence[int], device: torch.device
) -> tuple[Places, Weights]:
    """Places within each source side and weights, for target coordinates below the largest target side.

    Half-pixel centres, no antialias; what lies outside a source is its outermost pixel. `area` is the enlarging one.
    """
    if interpolation == "nearest":
        return _nearest(sources, targets, device)
    last = device_tensor(sources, device)[:, None] - 1
    places = torch.arange(max(targets), device=device)
    scale = _scales(sources, targets, device)
    if interpolation == "area":
        start = (places * scale).floor()
        share = (places + 1 - (start + 1) / scale).float()
        share = torch.where(share <= 0, 0.0, share - share.floor())
    else:
        position = (places + 0.5) * scale - 0.5
        # OpenCV's fractions are single; its positions are double but for lanczos.
        position = position.float() if interpolation == "lanczos" else position
        start = position.floor()
        share = (position - start).float()
    weights = _WEIGHTS[interpolation](share)
    taps = torch.arange(weights.shape[-1], device=device) - (weights.shape[-1] // 2 - 1)
    return torch.minimum((start.long()[..., None] + taps).clamp_(min=0), last[..., None]), weights


def area_operator(sources: Sequence[int], targets: Sequence[int], device: torch.device) -> Float64[Tensor, "g j i"]:
    """Weights of source coordinates in target ones: the mean over the part of the source that one covers.

    As in OpenCV, ends of at most a thousandth of a pixel are left out. No target side may exceed its source side.
    """
    scale = _scales(sources, targets, device)
    sides = device_tensor(sources, device)[:, None]
    low = torch.arange(max(targets), device=device) * scale
    pixels = torch.arange(max(sources), device=device)
    high = torch.minimum(low + scale, sides.double())[..., None]
    overlap = torch.minimum(high, pixels + 1.0) - torch.maximum(low[..., None], pixels.double())
    covered = torch.minimum(scale, sides - low).clamp(min=_NEGLIGIBLE)
    return torch.where(overlap > _NEGLIGIBLE, overlap, 0.0) / covered[..., None]


def _scales(sources: Sequence[int], targets: Sequence[int], device: torch.device) -> Float64[Tensor, "g 1"]:
    """Source pixels for one target pixel, rounded as by OpenCV."""
    scales = [1 / (target / source) for source, target in zip(sources, targets, strict=True)]
    return device_tensor(scales, device, torch.float64)[:, None]


def _nearest(sources: Sequence[int], targets: Sequence[int], device: torch.device) -> tuple[Places, Weights]:
    """As OpenCV itself resizes numbered pixels: to which side it rounds a tie follows no simple rule."""
    places = np.zeros((len(sources), max(targets)), np.int64)
    for row, source, target in zip(places, sources, targets, strict=True):
        numbered = np.arange(source, dtype=np.float32)[None]
        row[:target] = cv2.resize(numbered, (target, 1), interpolation=cv2.INTER_NEAREST_EXACT)[0]
    return to_device(torch.from_numpy(places), device)[..., None], torch.ones(
        *places.shape, 1, dtype=torch.float32, device=device
    )


def _linear(share: Shares) -> Weights:
    return torch.stack([1 - share, share], -1)


def _cubic(share: Shares) -> Weights:
    """Cubic convolution (Keys, 1981)."""
    x = (share.double()[..., None] + torch.arange(1, -3, -1, device=share.device)).abs()
    near = ((_CUBIC + 2) * x - (_CUBIC + 3)) * x * x + 1
    far = ((_CUBIC * x - 5 * _CUBIC) * x + 8 * _CUBIC) * x - 4 * _CUBIC
    return torch.where(x <= 1, near, far).float()


def _lanczos(share: Shares) -> Weights:
    """Windowed sinc of four lobes a side, sum 1; as in OpenCV, 3 is added in float32."""
    x = (share + 3).double()[..., None] - torch.arange(8, device=share.device)
    weights = torch.sinc(x) * torch.sinc(x / 4)
    return (weights / weights.sum(-1, keepdim=True)).float()


_WEIGHTS: dict[str, Callable[[Shares], Weights]] = {
    "area": _linear,
    "bilinear": _linear,
    "bicubic": _cubic,
    "lanczos": _lanczos,
}
