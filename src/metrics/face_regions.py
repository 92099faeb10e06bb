"""Where the eyes and the mouth of a face are: squares around landmarks, as GFPGAN crops its face components."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from src.faces.template import TEMPLATE_SIDE
from src.metrics.arcface_alignment import image_landmarks
from src.metrics.face_batch import FaceBatch

MIDDLES = {"eyes": ((0,), (1,)), "mouth": ((3, 4),)}
"""Squares of every region: the landmarks whose mean is the middle of each."""
SIZES = {"eyes": 80, "mouth": 120}
"""Side of a region's squares in a face of 512 pixels (GFPGAN's component crops)."""

Boxes = Float[Tensor, "b k 4"]
"""Left, top, right, bottom in parts of the image's sides; may reach beyond it."""


@dataclass(frozen=True)
class FaceRegion:
    """A part of a face."""

    name: str
    """A name of `MIDDLES`."""
    size: int | float | None = None
    """Side of its squares in a face of 512 pixels; None takes that of `SIZES`."""

    def __post_init__(self) -> None:
        if self.name not in MIDDLES:
            raise ValueError(f"region {self.name!r} is not one of {', '.join(MIDDLES)}")
        if self.size is not None and not 0 < self.size <= TEMPLATE_SIDE:
            raise ValueError(f"size {self.size} is not between 0 and {TEMPLATE_SIDE}")

    @property
    def side(self) -> int | float:
        """Side of its squares in a face of 512 pixels."""
        return SIZES[self.name] if self.size is None else self.size

    @property
    def words(self) -> str:
        """Where it is, for a formula."""
        squares = {"eyes": "two squares around the eyes", "mouth": "a square around the middle of the mouth's corners"}
        return f"{squares[self.name]}, side {self.side:g} in a face of {TEMPLATE_SIDE}"

    def boxes(self, faces: FaceBatch) -> Boxes:
        """Its squares around the landmarks of the originals, FFHQ's where there are none; NaN as these are."""
        height, width = faces.restored.shape[-2:]
        points = image_landmarks(faces.restored, faces.landmarks).to(faces.restored.device, torch.float32)
        middles = torch.stack([points[:, list(place)].mean(1) for place in MIDDLES[self.name]], dim=1) + 0.5
        half = self.side / 2 * width / TEMPLATE_SIDE
        return torch.cat([middles - half, middles + half], dim=2) / torch.tensor(
            [width, height, width, height], device=middles.device
        )


def region_mean(values: Float[Tensor, "b 1 h w"], boxes: Boxes) -> Float[Tensor, "b"]:
    """Mean over a face's boxes of the mean in each; a position counts as far as its cell, 1/h by 1/w, is in the box.

    NaN where a box is NaN or outside.
    """
    height, width = values.shape[-2:]
    columns = _covered(boxes[..., 0], boxes[..., 2], width)
    rows = _covered(boxes[..., 1], boxes[..., 3], height)
    sums = torch.einsum("bhw,bkh,bkw->bk", values[:, 0], rows, columns)
    return (sums / (rows.sum(2) * columns.sum(2))).mean(1)


def region_mask(boxes: Boxes, height: int, width: int) -> Bool[Tensor, "b 1 h w"]:
    """The pixels whose centres lie in one of a face's boxes; none where a box is NaN."""
    x = (torch.arange(width, device=boxes.device) + 0.5) / width
    y = (torch.arange(height, device=boxes.device) + 0.5) / height
    left, top, right, bottom = (edge[..., None] for edge in boxes.unbind(2))
    columns, rows = (left <= x) & (x < right), (top <= y) & (y < bottom)
    inside = (rows[..., :, None] & columns[..., None, :]).any(1, keepdim=True)
    return inside & boxes.isfinite().flatten(1).all(1)[:, None, None, None]


def _covered(first: Float[Tensor, "b k"], last: Float[Tensor, "b k"], cells: int) -> Float[Tensor, "b k cells"]:
    """How much of every cell of a line from 0 to 1 lies between two places, in parts of a cell."""
    edges = torch.arange(cells + 1, device=first.device, dtype=first.dtype) / cells
    inside = torch.minimum(last[..., None], edges[1:]) - torch.maximum(first[..., None], edges[:-1])
    return inside.clamp_min(0) * cells
