"""Constant tables of baseline JPEG: base quantisers (ITU-T T.81, annex K), colour weights and the 13-bit cosine basis."""

from functools import cache
from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

BASE_LUMA = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
BASE_CHROMA = torch.full((8, 8), 99)
BASE_CHROMA[:4, :4] = torch.tensor([[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]])

# Row k is sqrt(2) cos((2n + 1) k pi / 16) * 2^13 (row 0: 2^13) over samples n. Each entry is the sum of the rounded
# constants that the factored transform of Loeffler, Ligtenberg and Moschytz multiplies that sample by, so some differ
# by one from the rounded cosine.
COSINE_BASIS = torch.tensor(
    [
        [8192, 8192, 8192, 8192, 8192, 8192, 8192, 8192],
        [11363, 9633, 6437, 2260, -2260, -6437, -9633, -11363],
        [10703, 4433, -4433, -10703, -10703, -4433, 4433, 10703],
        [9633, -2259, -11362, -6436, 6436, 11362, 2259, -9633],
        [8192, -8192, -8192, 8192, 8192, -8192, -8192, 8192],
        [6437, -11362, 2261, 9633, -9633, -2261, 11362, -6437],
        [4433, -10704, 10704, -4433, -4433, 10704, -10704, 4433],
        [2260, -6436, 9633, -11363, 11363, -9633, 6436, -2260],
    ]
)

# 16-bit fixed-point weights of red, green, blue (rows) in luma, blue chroma, red chroma (columns), and what is added to
# the sums; then those of the chromas in what is added to luma.
_CENTRE = (128 << 16) + 32767
RGB_WEIGHTS = torch.tensor([[19595, -11059, 32768], [38470, -21709, -27439], [7471, 32768, -5329]])
RGB_OFFSETS = torch.tensor([32768, _CENTRE, _CENTRE])
CHROMA_WEIGHTS = torch.tensor([[0, -22554, 116130], [91881, -46802, 0]])


class Tables(NamedTuple):
    """The constants on a device, float64."""

    basis: Float64[Tensor, "8 8"]
    rgb_weights: Float64[Tensor, "3 3"]
    rgb_offsets: Float64[Tensor, "3"]
    chroma_weights: Float64[Tensor, "2 3"]


@cache
def tables_on(device: torch.device) -> Tables:
    """The constants on a device, copied there once."""
    tables = (COSINE_BASIS, RGB_WEIGHTS, RGB_OFFSETS, CHROMA_WEIGHTS)
    return Tables(*(table.to(device, torch.float64) for table in tables))
