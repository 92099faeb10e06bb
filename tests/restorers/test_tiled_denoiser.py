"""Tiles: what is local is reproduced, and no seam shows where a tile ends."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from src.restorers.tiled_denoiser import OVERLAP, TiledDenoiser
from src.settings.errors import UserError

TIMESTEP = torch.tensor([7, 7])


def pointwise(state: Tensor, timestep: Tensor) -> Tensor:
    """Twice the channels, as of a network with a learned variance."""
    return torch.cat([state.sin() * timestep.view(-1, 1, 1, 1), state**2], dim=1)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 16), (40, 72), (33, 31), (64, 28)])
def test_a_denoiser_without_surroundings_is_reproduced(height: int, width: int) -> None:
    state = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(TiledDenoiser(pointwise, 16)(state, TIMESTEP), pointwise(state, TIMESTEP))


def test_one_tile_is_the_whole_face_whatever_its_denoiser() -> None:
    state = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        TiledDenoiser(lambda x, _: x.flip(-1).cumsum(-2), 16)(state, TIMESTEP), state.flip(-1).cumsum(-2)
    )


@pytest.mark.parametrize("side", [32, 33, 55, 56, 57, 100, 256])
def test_tiles_cover_a_face_evenly_and_overlap_by_a_quarter(side: int) -> None:
    seen: list[int] = []

    def place(state: Tensor, timestep: Tensor) -> Tensor:
        seen.append(int(state[0, 0, 0, 0]))
        return state

    TiledDenoiser(place, 32)(torch.arange(side).float().expand(1, 1, 32, side), torch.tensor([0]))
    strides = [later - earlier for earlier, later in pairwise(seen)]
    assert seen[0] == 0
    assert seen[-1] + 32 == side
    assert all(0 < stride <= 32 * (1 - OVERLAP) for stride in strides)
    assert max(strides, default=0) - min(strides, default=0) <= 1


def test_tiles_that_disagree_are_blended_without_a_seam() -> None:
    calls = iter((0.0, 1.0, 0.0))
    state = torch.zeros(1, 1, 32, 80)
    row = TiledDenoiser(lambda x, _: torch.full_like(x, next(calls)), 32)(state, torch.tensor([0]))[0, 0, 16]
    assert row[:24].eq(0).all()
    assert row[32:48].eq(1).all()
    assert row.diff().abs().max() < 0.2


@pytest.mark.parametrize(("height", "width"), [(15, 32), (32, 8)])
def test_a_face_smaller_than_a_tile_is_refused(height: int, width: int) -> None:
    with pytest.raises(UserError, match=rf"sampling\.tile: 16 is more than the {min(height, width)} px of a face"):
        TiledDenoiser(pointwise, 16)(torch.zeros(2, 3, height, width), TIMESTEP)
