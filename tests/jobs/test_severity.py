"""How badly faces were degraded, and the bins."""

import numpy as np
import pytest

from src.data.benchmark import Benchmark, assemble
from src.degradation.chain import chain_of
from src.degradation.draw import draw
from src.degradation.drawn import ResizeDraw
from src.degradation.keyed import SampleKey
from src.degradation.operations import Downsample
from src.degradation.recipes import load_recipe
from src.degradation.severity import downscale_factors
from src.jobs.severity import FACTOR_EDGES, severity_of
from src.settings.commands import SeveritySettings
from src.settings.errors import UserError

AUTO = SeveritySettings(by="auto", edges=None)


def benchmark_with(errors: list[int], factors: list[float] | None = None, has_truth: bool = True) -> Benchmark:
    """Grey faces whose inputs differ from them by so many levels."""
    hq = np.full((len(errors), 8, 8, 3), 100, np.uint8)
    lq = hq + np.array(errors, np.uint8)[:, None, None, None]
    return assemble(
        name="made_up",
        split="test",
        seed=0,
        recipe="none",
        recipe_hash="",
        source="",
        hq=hq if has_truth else None,
        lq=lq,
        names=[f"face{index}" for index in range(len(errors))],
        identities=[0] * len(errors),
        landmarks=[None] * len(errors),
        factors=None if factors is None else np.array(factors, np.float32),
    )


def test_the_factor_is_that_of_the_smallest_side_drawn() -> None:
    chain = chain_of(load_recipe("codeformer_large"))
    found = downscale_factors(chain, seed=3, count=40, size=512)
    for index in range(40):
        (resize,) = [s for s in draw(chain, SampleKey(3, 0, index), 512) if isinstance(s, ResizeDraw) and s.side < 512]
        assert found[index] == pytest.approx(512 / resize.side)
    low, high = next(step.operation.factor for step in chain.steps if isinstance(step.operation, Downsample))
    assert low <= found.min() < 2 * low
    assert high / 2 < found.max() <= high * 1.05, "whole pixels round the side down"


def test_auto_takes_the_factor_where_it_fills_several_bins() -> None:
    varied = severity_of(benchmark_with([1, 2, 3], [1.5, 5.0, 9.0]), AUTO)
    assert varied is not None
    assert varied.scale() == {"name": "times shrunk", "edges": FACTOR_EDGES}
    assert varied.values.tolist() == [1.5, 5.0, 9.0]


def test_auto_takes_the_error_in_equal_thirds_where_the_factor_says_nothing() -> None:
    for factors in (None, [1.0] * 9):
        found = severity_of(benchmark_with(list(range(1, 10)), factors), AUTO)
        assert found is not None
        np.testing.assert_allclose(found.values, range(1, 10))
        counts, _ = np.histogram(found.values, found.edges)
        assert counts.tolist() == [3, 3, 3]


def test_equal_faces_have_one_bin_and_photographs_none() -> None:
    equal = severity_of(benchmark_with([5, 5, 5]), AUTO)
    assert equal is not None
    assert np.histogram(equal.values, equal.edges)[0].tolist() == [3]
    assert severity_of(benchmark_with([1, 2], has_truth=False), AUTO) is None


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (SeveritySettings(by="factor", edges=None), "severity.by: factor needs its recipe"),
    ],
)
def test_wrong_settings_are_refused(settings: SeveritySettings, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        severity_of(benchmark_with([1, 2]), settings)
