"""The correlation volume against its definition, and its look-up."""

import pytest
import torch
from torch import Tensor

from src.registration.correlation_volume import CorrelationVolume
from src.registration.warp import pixel_grid, sampled


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_every_pair_and_every_level_against_the_definition() -> None:
    fixed, moving = normal(2, 5, 4, 6), normal(2, 5, 8, 7, seed=1)
    volume = CorrelationVolume(fixed, moving, levels=3)
    assert [tuple(level.shape[3:]) for level in volume.levels] == [(8, 7), (4, 3), (2, 1)]
    finest, coarsest = volume.levels[0], volume.levels[2]
    for i, j, k, m in ((0, 0, 0, 0), (3, 5, 7, 6), (1, 4, 6, 2)):
        assert finest[1, i, j, k, m].item() == pytest.approx(
            (fixed[1, :, i, j] @ moving[1, :, k, m]).item() / 5**0.5, rel=1e-5
        )
    torch.testing.assert_close(coarsest[..., 1, 0], finest[..., 4:8, 0:4].mean((-2, -1)))


def test_look_up_at_whole_places_is_exact_and_zero_outside() -> None:
    volume = CorrelationVolume(normal(1, 3, 2, 2), normal(1, 3, 6, 6, seed=1), levels=1)
    places = torch.tensor([[[2.0, 0.0], [5.0, 30.0]], [[3.0, 0.0], [1.0, -40.0]]])[None]  # x, y of four cells
    found = volume.around(places, radius=1).unflatten(1, (3, 3))
    level = volume.levels[0]
    assert torch.equal(found[0, :, :, 0, 0], level[0, 0, 0, 2:5, 1:4])
    assert torch.equal(found[0, 1:, 1:, 0, 1], level[0, 0, 1, :2, :2])
    assert not found[0, 0, :, 0, 1].any()
    assert not found[0, :, 0, 0, 1].any()
    assert torch.equal(found[0, :, :2, 1, 0], level[0, 1, 0, :3, 4:])
    assert not found[0, :, 2, 1, 0].any()
    assert not found[0, :, :, 1, 1].any()


def test_look_up_between_places_is_bilinear_at_every_level() -> None:
    fixed, moving = normal(2, 4, 3, 3), normal(2, 4, 16, 16, seed=1)
    volume = CorrelationVolume(fixed, moving, levels=2)
    places = 6 + 3 * torch.rand(2, 2, 3, 3, generator=torch.Generator().manual_seed(2))
    found = volume.around(places, radius=2).unflatten(1, (2, 5, 5))
    offsets = pixel_grid(5, 5, places) - 2
    for level in range(2):
        around = ((places[1, :, 2, 1] + 0.5) / 2**level - 0.5)[:, None, None] + offsets
        expected = sampled(volume.levels[level][1, 2, 1][None, None], around[None])
        torch.testing.assert_close(found[1, level, :, :, 2, 1], expected[0, 0])


def test_pooled_levels_are_centred_on_the_same_place() -> None:
    """Correlation with a ramp is a ramp, on which averages and interpolation are exact: all levels read the same value."""
    ramp = pixel_grid(16, 16, torch.zeros(1))[None]
    volume = CorrelationVolume(torch.ones(1, 2, 1, 1), ramp, levels=3)
    found = volume.around(torch.tensor([6.3, 8.6]).view(1, 2, 1, 1), radius=0).flatten()
    torch.testing.assert_close(found, torch.full((3,), (6.3 + 8.6) / 2**0.5))


def test_levels_beyond_the_map_are_refused() -> None:
    with pytest.raises(ValueError, match="4 levels need at least 8 cells a side"):
        CorrelationVolume(normal(1, 2, 4, 4), normal(1, 2, 4, 4), levels=4)
