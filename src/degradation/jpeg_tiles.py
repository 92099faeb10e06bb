"""Where the 16 x 16 tiles of a batch of images of different sizes lie, in one list."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from src.degradation.canvas import device_tensor

TILE = 16
_HALF = TILE // 2


@dataclass(frozen=True)
class Tiles:
    """The tiles that cover each image, row by row, image after image; the outermost may reach beyond it."""

    image: Int64[Tensor, "n"]
    """Number of the image among those that have tiles."""
    sample: Int64[Tensor, "n"]
    """Its place in the batch."""
    rows: Int64[Tensor, "n 16"]
    """Rows of the pixels in the image's plane."""
    columns: Int64[Tensor, "n 16"]
    height: Int64[Tensor, "n"]
    """Size of the image in pixels."""
    width: Int64[Tensor, "n"]
    first: Int64[Tensor, "n"]
    """The image's first tile in the list."""
    some_narrow: bool
    """Whether an image has at most 2 columns of chroma."""

    @property
    def rows_within(self) -> Int64[Tensor, "n 16"]:
        """Rows, the last of the image standing for those below it."""
        return torch.minimum(self.rows, self.height[:, None] - 1)

    @property
    def columns_within(self) -> Int64[Tensor, "n 16"]:
        """Columns, the last of the image standing for those beyond it."""
        return torch.minimum(self.columns, self.width[:, None] - 1)

    @property
    def narrow(self) -> Bool[Tensor, "n"]:
        """Whether the image has at most 2 columns of chroma."""
        return self.width <= 4

    def chroma_rows(self) -> Int64[Tensor, "n 8"]:
        """Rows of chroma within a tile, the last of the image standing for those below it."""
        rows = torch.arange(_HALF, device=self.rows.device)
        last = torch.div(self.height - 1 - self.rows[:, 0], 2, rounding_mode="floor")
        return torch.minimum(rows, last[:, None])

    def with_neighbours(self, chroma: Float64[Tensor, "n 2 8 8"]) -> Float64[Tensor, "n 2 10 10"]:
        """Chroma with one sample of the neighbouring tiles on every side; the image's outermost stand for their own."""
        rows = _around(self.rows, self.height)
        columns = _around(self.columns, self.width)
        across = torch.div(self.width[:, None] + TILE - 1, TILE, rounding_mode="floor")
        down_tiles = self.first[:, None] + torch.div(rows, _HALF, rounding_mode="floor") * across
        across_tiles = torch.div(columns, _HALF, rounding_mode="floor")
        tiles = (down_tiles[:, :, None] + across_tiles[:, None])[:, None]
        planes = torch.arange(2, device=chroma.device)[:, None, None]
        return chroma[tiles, planes, (rows % _HALF)[:, None, :, None], (columns % _HALF)[:, None, None]]


def tiles_of(samples: Sequence[int], heights: Sequence[int], widths: Sequence[int], device: torch.device) -> Tiles:
    """The tiles of the images at the places `samples` of a batch, with their sizes in pixels."""
    across = [-(-width // TILE) for width in widths]
    counts = [columns * -(-height // TILE) for columns, height in zip(across, heights, strict=True)]
    firsts = list(accumulate(counts, initial=0))
    table = device_tensor([list(samples), list(heights), list(widths), across, firsts[:-1], counts], device)
    image = torch.repeat_interleave(torch.arange(len(counts), device=device), table[5], output_size=firsts[-1])
    sample, height, width, tiles_across, first, _ = table[:, image]
    place = torch.arange(firsts[-1], device=device) - first
    row = torch.div(place, tiles_across, rounding_mode="floor")
    pixels = torch.arange(TILE, device=device)
    rows = TILE * row[:, None] + pixels
    columns = TILE * (place - row * tiles_across)[:, None] + pixels
    return Tiles(image, sample, rows, columns, height, width, first, min(widths, default=TILE) <= 4)


def _around(pixels: Int64[Tensor, "n 16"], size: Int64[Tensor, "n"]) -> Int64[Tensor, "n 10"]:
    """Rows or columns of chroma in a tile and one before and after, within the image."""
    places = torch.arange(-1, _HALF + 1, device=pixels.device) + torch.div(pixels[:, :1], 2, rounding_mode="floor")
    last = torch.div(size - 1, 2, rounding_mode="floor")
    return torch.minimum(places.clamp_(min=0), last[:, None])
