"""What is drawn: ranges, shares, independence of the steps, sizes."""

import math
from typing import Any

import numpy as np
import pytest

from src.degradation.chain import chain_of
from src.degradation.draw import downsampled_side as side_after
from src.degradation.draw import draw
from src.degradation.drawn import CodecDraw, Draw, GreyDraw, JitterDraw, KernelDraw, NoiseDraw, ResizeDraw
from src.degradation.keyed import SampleKey
from src.degradation.recipes import load_recipe, recipe_names
from src.settings.degradation import DegradationRecipe
from tests.degradation.chains import chain, changed


def draws_of(recipe: DegradationRecipe, count: int, size: int) -> list[tuple[Draw, ...]]:
    checked = chain_of(recipe)
    return [draw(checked, SampleKey(5, 0, index), size) for index in range(count)]


def shares(values: list[Any], low: float, high: float) -> np.ndarray:
    return (np.array(values, dtype=float) - low) / (high - low)


@pytest.mark.parametrize("name", ["codeformer_small", "codeformer_large"])
def test_draws_fill_the_published_ranges(name: str) -> None:
    recipe = load_recipe(name)
    limits = {
        step: next(iter(v for k, v in content.items() if isinstance(v, list)))
        for step, content in recipe.steps.items()
        if step != "resize_back"
    }
    drawn = draws_of(recipe, 2000, 512)
    blurs = [d[0] for d in drawn if isinstance(d[0], KernelDraw)]
    turned = [d for d in blurs if d.kind == "anisotropic"]
    assert len(turned) == pytest.approx(1000, abs=100)
    assert all(d.sigma_x == d.sigma_y and d.angle == 0 for d in blurs if d.kind == "isotropic")
    # A side loses the fraction of 512 / r: compare the factor that gave it, to the width of one side.
    sides = [d[1].side for d in drawn if isinstance(d[1], ResizeDraw)]
    factors = limits["downsample"]
    assert min(sides) >= int(512 // factors[1])
    assert max(sides) <= int(512 // factors[0])
    for values, (low, high) in [
        ([d.sigma_x for d in blurs], limits["blur"]),
        ([d.sigma_y for d in turned], limits["blur"]),
        ([d.angle for d in turned], [-math.pi, math.pi]),
        ([512 / side for side in sides], factors),
        ([d[2].size for d in drawn if isinstance(d[2], NoiseDraw)], limits["gaussian_noise"]),
        ([d[3].quality for d in drawn if isinstance(d[3], CodecDraw)], limits["jpeg"]),
    ]:
        found = shares(values, low, high)
        assert -1e-9 <= found.min() < 0.02
        assert 0.96 < found.max() <= 1.04
        assert found.mean() == pytest.approx(0.5, abs=0.04)
    table = [[k.sigma_x, k.sigma_y, 512 / r.side, n.size] for k, r, n, *_ in drawn if k in turned]
    assert np.abs(np.corrcoef(table, rowvar=False) - np.eye(4)).max() < 0.12


def test_a_key_names_the_same_numbers_for_ever() -> None:
    """The values are what every recorded run used: a change here changes all validation inputs."""
    kernel, small, noise, jpeg, back = draw(chain_of(load_recipe("codeformer_large")), SampleKey(1, 2, 4), 512)
    assert isinstance(kernel, KernelDraw)
    assert isinstance(noise, NoiseDraw)
    assert kernel.kind == "anisotropic"
    assert small == ResizeDraw(side=46, interpolation="bilinear")
    assert jpeg == CodecDraw(codec="jpeg", quality=67)
    assert back == ResizeDraw(side=512, interpolation="bilinear")
    expected = [4.233487282209807, 13.556496542342964, -3.066718760964446, 5.195527618965721]
    np.testing.assert_allclose([kernel.sigma_x, kernel.sigma_y, kernel.angle, noise.size], expected, rtol=1e-12)


def test_leaving_a_step_out_keeps_the_other_draws() -> None:
    whole = draws_of(load_recipe("codeformer_large"), 20, 256)
    for place, step in enumerate(["blur", "downsample", "gaussian_noise", "jpeg"]):
        part = draws_of(changed("codeformer_large", **{step: None}), 20, 256)
        assert part == [d[:place] + d[place + 1 :] for d in whole]


def test_a_step_that_sometimes_acts_does_so_with_its_probability() -> None:
    drawn = draws_of(load_recipe("gfpgan"), 3000, 64)
    acting = {
        kind: np.mean([any(isinstance(d, kind) for d in one) for one in drawn]) for kind in (GreyDraw, JitterDraw)
    }
    assert acting[GreyDraw] == pytest.approx(0.01, abs=0.006)
    assert acting[JitterDraw] == pytest.approx(0.3, abs=0.03)
    orders = {tuple(name for name, _ in d.changes) for one in drawn for d in one if isinstance(d, JitterDraw)}
    assert len(orders) == 24


def test_alternatives_come_with_their_weights() -> None:
    recipe = load_recipe("second_order")
    drawn = draws_of(recipe, 3000, 64)
    first = [d[0].kind for d in drawn if isinstance(d[0], KernelDraw)]
    for kind, weight in recipe.steps["blur"]["kernels"].items():
        assert np.mean([found == kind for found in first]) == pytest.approx(weight, abs=0.03)
    sizes = {d[0].size for d in drawn if isinstance(d[0], KernelDraw)}
    assert sizes == set(range(7, 22, 2))
    sides = np.array([d[1].side for d in drawn if isinstance(d[1], ResizeDraw)])
    assert (sides > 64).mean() == pytest.approx(0.2, abs=0.03)
    assert (sides == 64).mean() >= 0.1


def test_lengths_scale_with_the_image_and_the_factor_does_not() -> None:
    recipe = load_recipe("codeformer_large")
    absolute = DegradationRecipe(name="x", reference_size=None, steps=recipe.steps)
    for full, small, unscaled in zip(
        draws_of(recipe, 50, 512), draws_of(recipe, 50, 64), draws_of(absolute, 50, 64), strict=True
    ):
        assert isinstance(full[0], KernelDraw)
        assert isinstance(small[0], KernelDraw)
        assert small[0].sigma_x == pytest.approx(full[0].sigma_x / 8, rel=1e-12)
        assert unscaled[0] == full[0]
        assert small[2:4] == full[2:4]


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
        (64, 30.0, 64, 2),
        (16, 30.0, 16, 1),
        (512, 0.8, 512, 639),
        (512, 0.8, 64, 79),
        (512, 0.8, 1024, 639),
    ],
)
def test_downsampled_side(reference: int, factor: float, size: int, side: int) -> None:
    assert side_after(size, reference, factor) == side


def test_a_brush_stroke_stays_in_the_image_and_has_its_width() -> None:
    masks = [draw(chain_of(load_recipe("codeformer_inpainting")), SampleKey(0, 0, i), 512)[0] for i in range(200)]
    strokes = [stroke for mask in masks for stroke in mask.strokes]
    assert {len(mask.strokes) for mask in masks} == {1, 2, 3}
    assert {len(stroke.points) - 1 for stroke in strokes} == set(range(8, 28))
    points = np.array([point for stroke in strokes for point in stroke.points])
    assert 0 <= points.min() <= points.max() <= 512
    assert 30 <= min(stroke.width for stroke in strokes) <= max(stroke.width for stroke in strokes) <= 70
    lengths = [math.dist(a, b) for stroke in strokes for a, b in zip(stroke.points, stroke.points[1:], strict=False)]
    assert max(lengths) <= 2 * math.sqrt(2) * 512 / 8 + 1e-9


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_can_be_drawn_at_any_size(name: str) -> None:
    for size in (1, 2, 64, 513):
        for one in draws_of(load_recipe(name), 5, size):
            assert all(d.side >= 1 for d in one if isinstance(d, ResizeDraw))


def test_two_steps_of_one_operation_draw_apart() -> None:
    twice = chain(gaussian_noise={"std": [0, 20]}, gaussian_noise_2={"std": [0, 20]})
    first, second = draw(twice, SampleKey(0, 0, 0), 8)
    assert isinstance(first, NoiseDraw)
    assert isinstance(second, NoiseDraw)
    assert first.size != second.size
    assert first.stream != second.stream
