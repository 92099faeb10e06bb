"""The metric suite and its evaluators."""

import math
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from src.metrics.distribution import DistanceToTruth
from src.metrics.fidelity import psnr
from src.metrics.set_distances import frechet_distance, kernel_distance
from src.metrics.suite import SuiteResult, in_order
from tests.metrics.small_suite import (
    CountedEmbedder,
    CountedExtractor,
    FailingMetric,
    definition,
    faces,
    measured,
    small_suite,
)


def assert_same(first: SuiteResult, second: SuiteResult) -> None:
    assert first.per_image.keys() == second.per_image.keys()
    for name, values in first.per_image.items():
        np.testing.assert_allclose(values, second.per_image[name], rtol=1e-6, err_msg=name)
    assert first.per_set == pytest.approx(second.per_set, rel=1e-6)


def test_values_are_those_of_the_metrics_in_order() -> None:
    suite, _, _ = small_suite()
    result = measured(suite, faces(1), [3, 2])
    x, y = faces(1).float() / 255, faces(0).float() / 255
    np.testing.assert_allclose(result.per_image["psnr"], psnr(x, y).numpy(), rtol=1e-6)
    embed = CountedEmbedder()
    cosines = (embed(x).double() * embed(y).double()).sum(1).numpy()
    np.testing.assert_allclose(result.per_image["id_x"], cosines, rtol=1e-6)
    np.testing.assert_allclose(result.per_image["id_x_degrees"], np.rad2deg(np.arccos(cosines)), rtol=1e-6)
    before = (embed(faces(9).float() / 255).double() * embed(y).double()).sum(1).numpy()
    np.testing.assert_allclose(result.per_image["id_x_drop"], before - cosines, atol=1e-6)
    features = [CountedExtractor()(images).double().numpy() for images in (x, y)]
    assert result.per_set["fd_x"] == pytest.approx(frechet_distance(*features), rel=1e-6)
    assert result.per_set["kd_x"] == pytest.approx(kernel_distance(*features), rel=1e-6)


def test_the_result_has_exactly_the_definitions() -> None:
    suite, _, _ = small_suite()
    result = measured(suite, faces(1), [5])
    assert list(suite.definitions) == ["psnr", "id_x", "id_x_degrees", "id_x_drop", "fd_x", "kd_x"]
    assert result.definitions == suite.definitions
    assert [*result.per_image, *result.per_set] == list(suite.definitions)
    assert all(name == definition.id for name, definition in result.definitions.items())
    roles = {role: suite.primary_id(role) for role in ("psnr", "identity", "distribution", "perceptual")}
    assert roles == {"psnr": "psnr", "identity": "id_x", "distribution": "fd_x", "perceptual": None}


@pytest.mark.parametrize("cuts", [[5], [3, 2], [2, 2, 1], [1, 4]])
def test_cutting_the_batches_changes_nothing(cuts: list[int]) -> None:
    """Also where another evaluator of the benchmark cut them in another way before."""
    whole = measured(small_suite()[0], faces(1), [5])
    suite, _, _ = small_suite()
    assert_same(measured(suite, faces(1), cuts), whole)
    assert_same(measured(suite, faces(2), [4, 1]), measured(small_suite()[0], faces(2), [5]))
    assert_same(measured(suite, faces(1), [5]), whole)


def test_truth_and_input_pass_once_a_benchmark_and_restored_faces_once_a_batch() -> None:
    suite, embed, extract = small_suite()
    for seed, cuts in ((1, [3, 2]), (2, [5]), (3, [2, 2, 1])):
        measured(suite, faces(seed), cuts)
    assert (embed.faces, extract.faces) == (5 * 5, 4 * 5), "three restorers; truth and input once"
    measured(suite, faces(1), [5], benchmark="b")
    assert (embed.faces, extract.faces) == (8 * 5, 6 * 5)


def test_an_evaluator_that_stops_early_compares_with_the_faces_it_saw() -> None:
    suite, _, _ = small_suite()
    measured(suite, faces(1), [5])
    early = measured(suite, faces(2), [3])
    assert_same(early, measured(small_suite()[0], faces(2), [3]))
    suite, _, _ = small_suite()
    measured(suite, faces(1), [2])
    assert_same(measured(suite, faces(2), [3, 2]), measured(small_suite()[0], faces(2), [5]))


def test_landmarks_reach_the_embedder_of_both_sides() -> None:
    points = torch.linspace(0, 1, 50).view(5, 5, 2)
    suite, _, _ = small_suite()
    result = measured(suite, faces(0), [3, 2], landmarks=points)
    np.testing.assert_allclose(result.per_image["id_x"], 1, rtol=0, atol=1e-6)
    other = measured(suite, faces(1), [5], landmarks=points).per_image["id_x"]
    assert not np.allclose(other, measured(small_suite()[0], faces(1), [5]).per_image["id_x"])


def test_a_face_that_cannot_be_measured_is_counted() -> None:
    suite, _, _ = small_suite()
    suite.metrics = [*suite.metrics, FailingMetric()]
    result = measured(suite, faces(1), [5])
    assert np.isnan(result.per_image["broken"]).tolist() == [True, False, False, False, True]
    assert result.failures == {"psnr": 0, "id_x": 0, "id_x_degrees": 0, "id_x_drop": 0, "broken": 2}


def test_distances_of_one_face_or_of_broken_features_are_nan() -> None:
    suite, _, _ = small_suite()
    alone = measured(suite, faces(1), [1])
    assert all(math.isnan(value) for value in alone.per_set.values())
    assert np.isfinite(alone.per_image["psnr"]).all()

    class Broken(CountedExtractor):
        def __call__(self, image: Tensor, landmarks: Tensor | None = None) -> Tensor:
            return super().__call__(image, landmarks) / 0

    suite.metrics = [DistanceToTruth(Broken(), definition("fd_x", "distribution"), frechet_distance)]
    assert math.isnan(measured(suite, faces(1), [5], benchmark="b").per_set["fd_x"])


def test_parts_of_two_processes_join_in_the_benchmarks_order() -> None:
    whole = measured(small_suite()[0], faces(1), [5])
    suite, _, _ = small_suite()
    parts = []
    for indices in ([3, 1], [0, 4, 2]):
        evaluator = suite.evaluator("a")
        evaluator.update(indices, faces(1)[indices], faces(0)[indices], faces(9)[indices])
        parts.append(evaluator.measurements())
    idle = suite.evaluator("a").measurements()
    assert_same(suite.result([*parts, idle]), whole)
    with pytest.raises(ValueError, match="measured twice"):
        suite.result([parts[0], parts[0]])


def test_nothing_seen_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one batch"):
        small_suite()[0].evaluator("a").compute()


def test_metrics_run_in_float32_outside_autocast() -> None:
    suite, _, _ = small_suite()
    seen = []

    class Multiplying(CountedExtractor):
        def __call__(self, image: Tensor, landmarks: Tensor | None = None) -> Tensor:
            features = image.flatten(1) @ torch.ones(image[0].numel(), 6)
            seen.append(features.dtype)
            return features

    suite.metrics = [DistanceToTruth(Multiplying(), definition("fd_x", "distribution"), frechet_distance)]
    with torch.autocast("cpu", torch.bfloat16):
        measured(suite, faces(1), [5])
    assert seen == [torch.float32, torch.float32]


class Sum:
    """A derived metric: the sum of its ingredients."""

    def __init__(self, name: str, *ingredients: str) -> None:
        self.definitions = (definition(name, name),)
        self.ingredients = ingredients

    def derive(
        self, per_image: Mapping[str, Float[np.ndarray, "_"]], per_set: Mapping[str, int | float]
    ) -> dict[str, float]:
        values = {name: float(np.mean(found)) for name, found in per_image.items()} | dict(per_set)
        return {self.definitions[0].id: sum(values[name] for name in self.ingredients)}


def test_what_is_computed_from_other_metrics_follows_them_in_any_order() -> None:
    suite, _, _ = small_suite()
    suite.metrics = [Sum("c", "b", "fd_x"), Sum("b", "psnr", "id_x"), *suite.metrics]
    result = measured(suite, faces(1), [5])
    b = result.per_image["psnr"].mean() + result.per_image["id_x"].mean()
    assert result.per_set["b"] == pytest.approx(b)
    assert result.per_set["c"] == pytest.approx(b + result.per_set["fd_x"])
    with pytest.raises(ValueError, match="a, b are computed from each other"):
        in_order([Sum("a", "b"), Sum("b", "a")])
