"""A prior on faces larger than those it was trained on: its predictions for overlapping tiles, blended."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from src.settings.errors import UserError

OVERLAP = 0.25
"""Least part of a tile that its neighbour covers too."""


class TiledDenoiser:
    """Predicts the noise of each tile, and averages where tiles overlap, weighted down to a tile's edge.

    All tiles take every step together, so that no seam can grow between them. UserError where the faces are smaller than
    a tile.
    """

    def __init__(self, denoiser: Callable[[Tensor, Tensor], Tensor], tile: int) -> None:
        self._denoiser, self._tile = denoiser, tile

    def __call__(self, state: Float[Tensor, "b c h w"], timestep: Tensor) -> Float[Tensor, "b c_out h w"]:
        """The blended prediction."""
        weight = self._weight(state)
        total: Tensor | None = None
        share = torch.zeros_like(state[:1, :1])
        for rows, columns in self._tiles(*state.shape[-2:]):
            prediction = self._denoiser(state[..., rows, columns], timestep)
            if total is None:
                total = prediction.new_zeros(*prediction.shape[:2], *state.shape[-2:])
            total[..., rows, columns] += weight * prediction
            share[..., rows, columns] += weight
        assert total is not None
        return total / share

    def _tiles(self, height: int, width: int) -> Iterator[tuple[slice, slice]]:
        for top in self._starts(height):
            for left in self._starts(width):
                yield slice(top, top + self._tile), slice(left, left + self._tile)

    def _starts(self, side: int) -> list[int]:
        """Equally far apart, the last tile ending at the edge."""
        if side < self._tile:
            raise UserError(
                f"sampling.tile: {self._tile} is more than the {side} px of a face; take a smaller tile, or none"
            )
        stride = max(int(self._tile * (1 - OVERLAP)), 1)
        count = 1 + -(-(side - self._tile) // stride)
        return [round(number * (side - self._tile) / max(count - 1, 1)) for number in range(count)]

    def _weight(self, like: Tensor) -> Float[Tensor, "tile tile"]:
        """1 in the middle of a tile, falling linearly to its edges, where it stays above 0."""
        place = torch.arange(self._tile, dtype=like.dtype, device=like.device)
        ramp = torch.minimum(place + 1, self._tile - place) / (self._tile * OVERLAP)
        ramp = ramp.clamp(max=1)
        return ramp[:, None] * ramp[None, :]
