"""Puts restored faces back into their photo."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from src.photos.warp import Similarity, bounds, inverted, shifted, warp

Mask = Float[np.ndarray, "s s"]
Box = tuple[int, int, int, int]

OWN_PART = 0.25
"""Deviation of the bell that divides what two faces share, as a part of the crop's side."""


@dataclass(frozen=True, eq=False)
class Patch:
    """A face to put back."""

    image: UInt8[np.ndarray, "s s 3"]
    mask: Mask
    """How much of each pixel it replaces, in [0, 1]."""
    to_crop: Similarity
    """From the picture that receives it to the crop."""

    def box(self, width: int, height: int) -> Box:
        """Left, top, right, bottom (exclusive) of its place in a picture of this size."""
        side = self.image.shape[0]
        left, top, right, bottom = bounds(inverted(self.to_crop), side, side)
        return max(left, 0), max(top, 0), min(right, width), min(bottom, height)


@lru_cache(maxsize=8)
def soft_square(side: int, feather: float) -> Mask:
    """1 inside, 0 at the border, with a blurred edge that begins `feather` of the side inside (codeformer.md 4).

    The published script draws it in the photo; in the crop it is the same for every face.
    """
    edge = max(1, int(side * feather))
    mask = np.zeros((side, side), np.float32)
    mask[edge:-edge, edge:-edge] = 1
    blurred = np.minimum(cv2.GaussianBlur(mask, (2 * edge + 1, 2 * edge + 1), 0), 1)
    blurred[[0, -1]] = 0
    blurred[:, [0, -1]] = 0
    blurred.setflags(write=False)
    return blurred


@lru_cache(maxsize=8)
def _bell(side: int) -> Mask:
    offset = (np.arange(side, dtype=np.float32) - (side - 1) / 2) / (OWN_PART * side)
    half = np.exp(-(offset**2) / 2)
    return np.outer(half, half)


def paste(picture: np.ndarray, patches: Sequence[Patch]) -> None:
    """Blend faces into `picture` ("h w 3", uint8 or uint16) in place; pixels outside every mask keep their value.

    Where crops overlap, each pixel goes to the faces by their nearness to it, so that a neighbour's unrestored face,
    which lies in the crop too, does not cover the restored one.
    """
    height, width = picture.shape[:2]
    boxes = [patch.box(width, height) for patch in patches]
    untouched = [_cut(picture, box).copy() for box in boxes]
    for index, (patch, box) in enumerate(zip(patches, boxes, strict=True)):
        if box[0] >= box[2] or box[1] >= box[3]:
            continue
        rivals = [other for k, other in enumerate(patches) if k != index and _overlap(boxes[k], box)]
        weight = _placed(patch.mask, patch, box) * _share(patch, rivals, box)
        _blend(_cut(picture, box), untouched[index], _placed(patch.image, patch, box), weight)


def _blend(part: np.ndarray, before: np.ndarray, face: np.ndarray, weight: Float[np.ndarray, "h w"]) -> None:
    levels = np.iinfo(part.dtype).max
    change = weight[:, :, None] * (face.astype(np.float32) * (levels / 255) - before)
    replaced = np.clip(np.rint(part + change), 0, levels).astype(part.dtype)
    np.copyto(part, replaced, where=weight[:, :, None] > 0)


def _share(patch: Patch, rivals: Sequence[Patch], box: Box) -> Float[np.ndarray, "h w"] | float:
    """Part of each pixel that belongs to a face and not to its neighbours."""
    if not rivals:
        return 1.0
    own = _placed(patch.mask * _bell(patch.mask.shape[0]), patch, box)
    total = own + sum(_placed(other.mask * _bell(other.mask.shape[0]), other, box) for other in rivals)
    return np.divide(own, total, out=np.ones_like(own), where=total > 0)


def _placed(image: np.ndarray, patch: Patch, box: Box) -> np.ndarray:
    """An image of the crop, warped to its place."""
    left, top, right, bottom = box
    to_place = shifted(inverted(patch.to_crop), left, top)
    size = right - left, bottom - top
    if image.ndim == 2:
        return warp(image, to_place, *size, interpolation=cv2.INTER_LINEAR, outside=(0, 0, 0))
    return warp(image, to_place, *size, interpolation=cv2.INTER_LANCZOS4, outside=None)


def _cut(picture: np.ndarray, box: Box) -> np.ndarray:
    left, top, right, bottom = box
    return picture[top : max(bottom, top), left : max(right, left)]


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
