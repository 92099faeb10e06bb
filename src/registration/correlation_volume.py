"""Correlations of all pairs of cells of two feature maps, looked up around moving places (RAFT, arXiv 2003.12039, 3.2)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


class CorrelationVolume:
    """<f_F(i, j), f_G(k, l)> / sqrt(d) of every cell of the fixed feature map with every one of the moving map.

    `levels[n]` is "b h w h_n w_n": averages over 2^n x 2^n cells (k, l). ValueError where the moving map has no such cells.
    """

    def __init__(
        self, fixed: Float[Tensor, "b d h w"], moving: Float[Tensor, "b d h_moving w_moving"], levels: int
    ) -> None:
        if min(moving.shape[-2:]) < 2 ** (levels - 1):
            raise ValueError(
                f"{levels} levels need at least {2 ** (levels - 1)} cells a side, got {tuple(moving.shape)}"
            )
        fixed = fixed.float() / fixed.shape[1] ** 0.5
        pooled = [moving.float()]
        while len(pooled) < levels:
            pooled.append(F.avg_pool2d(pooled[-1], 2))
        # Averages of correlations are correlations with averages, which are far smaller than the volume.
        self.levels = tuple(torch.einsum("bdhw,bdkl->bhwkl", fixed, feature) for feature in pooled)

    def around(self, places: Float[Tensor, "b 2 h w"], radius: int) -> Float[Tensor, "b n h w"]:
        """Bilinear values at the (2 radius + 1)^2 cells around each place (x, y) of the moving map, of every level.

        Places are array indices of the finest level; a level is searched in steps of its own cells, row by row, and is 0
        outside.
        """
        batch, _, height, width = places.shape
        found = []
        for level, volume in enumerate(self.levels):
            # The middle of a pooled cell: RAFT's own code divides by 2^level and is off by up to half a cell.
            x, y = ((places + 0.5) / 2**level - 0.5).transpose(0, 1).flatten(1)
            found.append(_windows(volume.flatten(0, 2), x, y, radius).unflatten(0, (batch, height, width)))
        return torch.cat(found, 3).permute(0, 3, 1, 2)


def _windows(
    maps: Float[Tensor, "n h w"], x: Float[Tensor, " n"], y: Float[Tensor, " n"], radius: int
) -> Float[Tensor, "n cells"]:
    """One place a map. All cells of a window share the fractions of its place, so it is read as one block of whole cells."""
    height, width = maps.shape[-2:]
    left, top = x.floor(), y.floor()
    steps = torch.arange(-radius, radius + 2, device=maps.device)
    columns, rows = left.long()[:, None, None] + steps, top.long()[:, None, None] + steps[:, None]
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    index = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    block = maps.flatten(1).gather(1, index.flatten(1)).unflatten(1, (len(steps), -1)) * inside
    a, b = (x - left)[:, None, None], (y - top)[:, None, None]
    block = block[:, :, :-1] * (1 - a) + block[:, :, 1:] * a
    return (block[:, :-1] * (1 - b) + block[:, 1:] * b).flatten(1)
