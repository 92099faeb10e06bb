"""Keyed generators and the distribution of the draws."""

import math
from dataclasses import replace

import numpy as np
import pytest

from src.degradation.draw import Draw, downsampled_side, draw, keyed_generator
from src.degradation.recipes import load_recipe
from src.settings.degradation import DegradationRecipe


def draws_of(recipe: DegradationRecipe, count: int, size: int) -> list[Draw]:
    return [draw(recipe, keyed_generator(5, 0, index, "degradation"), size) for index in range(count)]


@pytest.mark.parametrize("name", ["codeformer_small", "codeformer_large"])
def test_draws_fill_the_published_ranges(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.blur is not None
    drawn = draws_of(recipe, 2000, 512)
    anisotropic = [d for d in drawn if d.kernel == "anisotropic"]
    assert len(anisotropic) == pytest.approx(1000, abs=100)
    assert all(d.sigma_x == d.sigma_y and d.angle == 0 for d in drawn if d.kernel == "isotropic")
    for values, limits in [
        ([d.sigma_x for d in drawn], recipe.blur.sigma),
        ([d.sigma_y for d in anisotropic], recipe.blur.sigma),
        ([d.angle for d in anisotropic], [-math.pi, math.pi]),
        ([d.factor for d in drawn], recipe.downsample),
        ([d.noise_std for d in drawn], recipe.noise),
        ([d.quality for d in drawn], recipe.jpeg_quality),
    ]:
        assert limits is not None
        low, high = limits
        shares = (np.array(values, dtype=float) - low) / (high - low)
        assert 0 <= shares.min() < 0.02
        assert 0.96 < shares.max() <= 1
        assert shares.mean() == pytest.approx(0.5, abs=0.04)
    correlation = np.corrcoef(
        [[d.sigma_x, d.sigma_y, d.factor or 0, d.noise_std or 0] for d in anisotropic], rowvar=False
    )
    assert np.abs(correlation - np.eye(4)).max() < 0.12


def test_a_key_names_the_same_numbers_for_ever() -> None:
    """The values are what every recorded run used: a change here changes all validation inputs."""
    drawn = draw(load_recipe("codeformer_large"), keyed_generator(1, 2, 3, "degradation"), 512)
    assert drawn.kernel == "anisotropic"
    numbers = [drawn.sigma_x, drawn.sigma_y, drawn.angle, drawn.factor, drawn.noise_std, drawn.quality]
    np.testing.assert_allclose(
        np.array(numbers, dtype=float),
        [3.0922839661473764, 4.62281813801227, -0.5144213590520682, 25.214788430420363, 19.522290246062365, 42],
        rtol=1e-12,
    )


def test_every_part_of_the_key_changes_the_numbers() -> None:
    keys = [
        (1, 2, 3, "flip"),
        (0, 2, 3, "flip"),
        (1, 0, 3, "flip"),
        (1, 2, 0, "flip"),
        (3, 2, 1, "flip"),
        (1, 2, 3, "noise"),
    ]
    assert len({keyed_generator(*key).random() for key in keys}) == len(keys)
    assert keyed_generator(1, 2, 3, "flip").random() == keyed_generator(1, 2, 3, "flip").random()


@pytest.mark.parametrize("key", [(-1, 0, 0), (0, -1, 0), (0, 0, 2**32)])
def test_a_key_out_of_range_is_refused(key: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="expected whole numbers"):
        keyed_generator(*key, "noise")


def test_leaving_a_step_out_keeps_the_other_draws() -> None:
    recipe = load_recipe("codeformer_large")
    for whole, part in zip(draws_of(recipe, 20, 256), draws_of(replace(recipe, noise=None), 20, 256), strict=True):
        assert part == replace(whole, noise_std=None)
    for whole, part in zip(draws_of(recipe, 20, 256), draws_of(replace(recipe, blur=None), 20, 256), strict=True):
        assert part == replace(whole, kernel=None, sigma_x=0.0, sigma_y=0.0, angle=0.0)


def test_sigma_scales_with_the_image_and_the_factor_does_not() -> None:
    recipe = load_recipe("codeformer_large")
    absolute = replace(recipe, reference_size=None)
    for full, small, unscaled in zip(
        draws_of(recipe, 50, 512), draws_of(recipe, 50, 64), draws_of(absolute, 50, 64), strict=True
    ):
        assert small == replace(full, sigma_x=full.sigma_x / 8, sigma_y=full.sigma_y / 8)
        assert unscaled == full


@pytest.mark.parametrize(
    ("reference", "factor", "size", "side"),
    [
        (512, 7.3, 512, 70),
        (512, 7.3, 64, 64),
        (512, 30.0, 64, 17),
        (512, 1.0, 512, 512),
        (512, 4.0, 1024, 128),
        (512, 30.0, 16, 16),
        (512, 600.0, 64, 1),
        (None, 30.0, 64, 2),
        (None, 30.0, 16, 1),
        (None, None, 64, 64),
    ],
)
def test_downsampled_side(reference: int | None, factor: float | None, size: int, side: int) -> None:
    recipe = replace(load_recipe("codeformer_large"), reference_size=reference)
    assert downsampled_side(recipe, factor, size) == side
