"""The metric suite and its evaluators."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from src.metrics.definition import MetricDefinition
from src.metrics.distribution import frechet_definition, frechet_distance, kernel_definition, kernel_distance
from src.metrics.fidelity import Psnr
from src.metrics.identity import identity_definitions
from src.metrics.suite import DistributionMetric, IdentityMetric, MetricSuite, PairMetric, SuiteResult


class CountedExtractor:
    """Six numbers a face; counts the faces it was given."""

    def __init__(self) -> None:
        self.faces = 0

    def __call__(self, image: Tensor, landmarks: Tensor | None = None) -> Tensor:
        self.faces += len(image)
        features = torch.cat([image.mean((2, 3)), image.std((2, 3))], dim=1)
        return features if landmarks is None else features + landmarks.mean((1, 2))[:, None]


class CountedEmbedder(CountedExtractor):
    def __call__(self, image: Tensor, landmarks: Tensor | None = None) -> Tensor:
        return normalize(super().__call__(image, landmarks) - 0.4)


def example_suite() -> tuple[MetricSuite, CountedEmbedder, CountedExtractor]:
    embed, extract = CountedEmbedder(), CountedExtractor()
    psnr = Psnr()
    suite = MetricSuite(
        pairs=[PairMetric(psnr.definition, psnr)],
        identities=[IdentityMetric(*identity_definitions("id_x", "a fake", "ab"), embed)],
        distributions=[
            DistributionMetric(
                frechet_definition("fd_x", "a fake", "cd"), kernel_definition("kd_x", "a fake", "cd"), extract
            )
        ],
        notice="",
        device=torch.device("cpu"),
    )
    return suite, embed, extract


def faces(seed: int, count: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, 16, 16), generator=generator, dtype=torch.uint8)


def measured(
    suite: MetricSuite, restored: Tensor, cuts: Sequence[int], benchmark: str = "a", landmarks: Tensor | None = None
) -> SuiteResult:
    evaluator = suite.evaluator(benchmark)
    reference, start = faces(0), 0
    for count in cuts:
        part = slice(start, start + count)
        evaluator.update(restored[part], reference[part], None if landmarks is None else landmarks[part])
        start += count
    return evaluator.compute()


def assert_same(first: SuiteResult, second: SuiteResult) -> None:
    assert first.per_image.keys() == second.per_image.keys()
    for name, values in first.per_image.items():
        np.testing.assert_allclose(values, second.per_image[name], rtol=1e-6, err_msg=name)
    assert first.distribution == pytest.approx(second.distribution, rel=1e-6)


def test_values_are_those_of_the_metrics_in_order() -> None:
    suite, _, _ = example_suite()
    result = measured(suite, faces(1), [3, 2])
    x, y = faces(1).float() / 255, faces(0).float() / 255
    np.testing.assert_allclose(result.per_image["psnr"], Psnr()(x, y).numpy(), rtol=1e-6)
    cosines = (CountedEmbedder()(x).double() * CountedEmbedder()(y).double()).sum(1).numpy()
    np.testing.assert_allclose(result.per_image["id_x"], cosines, rtol=1e-6)
    np.testing.assert_allclose(result.per_image["id_x_degrees"], np.rad2deg(np.arccos(cosines)), rtol=1e-6)
    features = [CountedExtractor()(images).double().numpy() for images in (x, y)]
    assert result.distribution["fd_x"] == pytest.approx(frechet_distance(*features), rel=1e-6)
    assert result.distribution["kd_x"] == pytest.approx(kernel_distance(*features), rel=1e-6)


def test_the_result_has_exactly_the_definitions() -> None:
    suite, _, _ = example_suite()
    result = measured(suite, faces(1), [5])
    assert list(suite.definitions) == ["psnr", "id_x", "id_x_degrees", "fd_x", "kd_x"]
    assert result.definitions == suite.definitions
    assert [*result.per_image, *result.distribution] == list(suite.definitions)
    assert all(name == definition.id for name, definition in result.definitions.items())
    roles = {role: suite.primary_id(role) for role in ("psnr", "identity", "distribution", "perceptual")}
    assert roles == {"psnr": "psnr", "identity": "id_x", "distribution": "fd_x", "perceptual": None}


@pytest.mark.parametrize("cuts", [[5], [3, 2], [2, 2, 1], [1, 4]])
def test_cutting_the_batches_changes_nothing(cuts: list[int]) -> None:
    """Also where another evaluator of the benchmark cut them in another way before."""
    whole = measured(example_suite()[0], faces(1), [5])
    suite, _, _ = example_suite()
    assert_same(measured(suite, faces(1), cuts), whole)
    assert_same(measured(suite, faces(2), [4, 1]), measured(example_suite()[0], faces(2), [5]))
    assert_same(measured(suite, faces(1), [5]), whole)


def test_references_are_embedded_once_a_benchmark() -> None:
    suite, embed, extract = example_suite()
    for seed, cuts in ((1, [3, 2]), (2, [5]), (3, [2, 2, 1])):
        measured(suite, faces(seed), cuts)
    assert (embed.faces, extract.faces) == (4 * 5, 4 * 5), "three restorers and the references once"
    measured(suite, faces(1), [5], benchmark="b")
    assert (embed.faces, extract.faces) == (6 * 5, 6 * 5)


def test_an_evaluator_that_stops_early_compares_with_the_faces_it_saw() -> None:
    suite, _, _ = example_suite()
    measured(suite, faces(1), [5])
    early = measured(suite, faces(2), [3])
    assert_same(early, measured(example_suite()[0], faces(2), [3]))
    suite, _, _ = example_suite()
    measured(suite, faces(1), [2])
    assert_same(measured(suite, faces(2), [3, 2]), measured(example_suite()[0], faces(2), [5]))


def test_landmarks_reach_the_embedder_of_both_sides() -> None:
    points = torch.linspace(0, 1, 50).view(5, 5, 2)
    suite, _, _ = example_suite()
    result = measured(suite, faces(0), [3, 2], landmarks=points)
    np.testing.assert_allclose(result.per_image["id_x"], 1, rtol=0, atol=1e-6)
    other = measured(suite, faces(1), [5], landmarks=points).per_image["id_x"]
    assert not np.allclose(other, measured(example_suite()[0], faces(1), [5]).per_image["id_x"])


def test_a_face_that_cannot_be_measured_is_counted() -> None:
    suite, _, _ = example_suite()
    broken = MetricDefinition(id="broken", role="perceptual", direction="lower", range="", formula="", source="")

    def measure(restored: Tensor, reference: Tensor) -> Tensor:
        values = (restored - reference).abs().mean((1, 2, 3))
        values[0], values[-1] = math.nan, math.inf
        return values

    suite.pairs.append(PairMetric(broken, measure))
    result = measured(suite, faces(1), [5])
    assert np.isnan(result.per_image["broken"]).tolist() == [True, False, False, False, True]
    assert result.failures == {"psnr": 0, "broken": 2, "id_x": 0, "id_x_degrees": 0}


def test_distances_of_one_face_or_of_broken_features_are_nan() -> None:
    suite, _, extract = example_suite()
    alone = measured(suite, faces(1), [1])
    assert all(math.isnan(value) for value in alone.distribution.values())
    assert np.isfinite(alone.per_image["psnr"]).all()
    metric = suite.distributions[0]
    suite.distributions[0] = DistributionMetric(metric.frechet, metric.kernel, lambda image: extract(image) / 0)
    assert all(math.isnan(value) for value in measured(suite, faces(1), [5], benchmark="b").distribution.values())


def test_nothing_seen_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one batch"):
        example_suite()[0].evaluator("a").compute()


def test_metrics_run_outside_autocast() -> None:
    suite, _, _ = example_suite()
    seen = []

    def extract(image: Tensor) -> Tensor:
        features = image.flatten(1) @ torch.ones(image[0].numel(), 6)
        seen.append(features.dtype)
        return features

    metric = suite.distributions[0]
    suite.distributions[0] = DistributionMetric(metric.frechet, metric.kernel, extract)
    with torch.autocast("cpu", torch.bfloat16):
        measured(suite, faces(1), [5])
    assert seen == [torch.float32, torch.float32]
