"""The batched tensor chain equals the chain on single images."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from src.degradation.batch import degrade_batch
from src.degradation.engine import degrade
from src.degradation.recipes import load_recipe
from src.settings.degradation import DegradationRecipe

RECIPES = ["codeformer_small", "codeformer_large"]


def batch_of(count: int, side: int) -> np.ndarray:
    """Smooth waves with grain, 8-bit RGB, NHWC."""
    rng = np.random.default_rng([count, side])
    y, x = np.mgrid[0:side, 0:side] * (12.0 / side)
    phases = rng.uniform(0, 6, (count, 1, 1, 3))
    waves = 127 + 90 * np.sin(x[None, ..., None] + phases) * np.cos(y[None, ..., None] - phases)
    return np.clip(waves + rng.normal(0, 6, waves.shape), 0, 255).astype(np.uint8)


def differences(recipe: DegradationRecipe, side: int, count: int) -> np.ndarray:
    """Absolute differences in levels between the two chains, NHWC."""
    hq = batch_of(count, side)
    indices, epochs = [3 * i + 1 for i in range(count)], [i % 3 for i in range(count)]
    found = degrade_batch(torch.from_numpy(hq).permute(0, 3, 1, 2), recipe, seed=9, indices=indices, epochs=epochs)
    expected = [degrade(hq[i], recipe, seed=9, index=indices[i], epoch=epochs[i]) for i in range(count)]
    return np.abs(found.permute(0, 2, 3, 1).numpy().astype(int) - np.stack(expected))


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize(("side", "count"), [(1, 4), (7, 40), (64, 120), (128, 24), (512, 2)])
def test_batch_equals_single(name: str, side: int, count: int) -> None:
    difference = differences(load_recipe(name), side, count)
    assert (difference > 0).mean() <= 0.003
    assert difference.mean() <= 0.002
    # A last-bit difference that the JPEG turns into a changed block is rare; at 512 there are 10^5 chances an image.
    if side < 512:
        assert (difference == 0).all(axis=(1, 2, 3)).mean() >= 0.9


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize(("side", "count"), [(64, 16), (100, 8)])
def test_without_jpeg_only_single_levels_differ(name: str, side: int, count: int) -> None:
    difference = differences(replace(load_recipe(name), jpeg_quality=None), side, count)
    assert difference.max() <= 1
    assert difference.mean() <= 1e-4


@pytest.mark.parametrize("side", [1, 33])
def test_identity_is_exact(side: int) -> None:
    assert differences(load_recipe("identity"), side, 3).max() == 0


def test_a_sample_does_not_depend_on_its_neighbours() -> None:
    hq = torch.from_numpy(batch_of(4, 32)).permute(0, 3, 1, 2)
    recipe = load_recipe("codeformer_large")
    whole = degrade_batch(hq, recipe, seed=1, indices=[4, 5, 6, 7], epochs=[0, 0, 1, 1])
    back = degrade_batch(hq.flip(0), recipe, seed=1, indices=[7, 6, 5, 4], epochs=[1, 1, 0, 0]).flip(0)
    assert torch.equal(whole, back)


def test_an_empty_batch_and_wrong_lengths() -> None:
    none = torch.zeros(0, 3, 16, 16, dtype=torch.uint8)
    assert degrade_batch(none, "codeformer_small", seed=0, indices=[], epochs=[]).shape == (0, 3, 16, 16)
    with pytest.raises(ValueError, match="1 images came with 2 indices and 1 epochs"):
        degrade_batch(none.new_zeros(1, 3, 16, 16), "codeformer_small", seed=0, indices=[1, 2], epochs=[0])
    with pytest.raises(ValueError, match="expected a square"):
        degrade_batch(none.new_zeros(1, 3, 16, 8), "codeformer_small", seed=0, indices=[1], epochs=[0])
