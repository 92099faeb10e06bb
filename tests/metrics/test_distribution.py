"""Frechet and kernel distance, and the metrics that compare with the ground truth."""

from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from scipy.linalg import sqrtm
from torch import Tensor, nn

from src.metrics.distribution import FrechetKind, KernelKind
from src.metrics.feature_networks import FEATURE_NETWORKS, FeatureNetwork
from src.metrics.kind import BuildContext
from src.metrics.set_distances import (
    frechet_between,
    frechet_distance,
    kernel_distance,
    moments,
    moments_of_covariance,
    paired_kernel_distance,
)


def samples(mean: np.ndarray, covariance: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Samples whose own mean and unbiased covariance are exactly the given ones."""
    drawn = np.random.default_rng(seed).normal(size=(n, len(mean)))
    drawn -= drawn.mean(0)
    white = drawn @ np.linalg.inv(np.linalg.cholesky(np.cov(drawn, rowvar=False))).T
    return white @ np.linalg.cholesky(covariance).T + mean


def test_frechet_of_diagonal_covariances_is_its_closed_form() -> None:
    m1, m2 = np.array([1.0, -2.0, 0.5, 3.0]), np.array([0.0, 1.0, 0.5, -1.0])
    v1, v2 = np.array([4.0, 1.0, 0.25, 9.0]), np.array([1.0, 1.0, 2.25, 16.0])
    expected = ((m1 - m2) ** 2).sum() + ((np.sqrt(v1) - np.sqrt(v2)) ** 2).sum()
    measured = frechet_distance(samples(m1, np.diag(v1), 60, 0), samples(m2, np.diag(v2), 90, 1))
    assert measured == pytest.approx(expected, rel=1e-9)
    stated = frechet_between(moments_of_covariance(m1, np.diag(v1)), moments_of_covariance(m2, np.diag(v2)))
    assert stated == pytest.approx(expected, rel=1e-12)


def test_frechet_of_covariances_that_do_not_commute_equals_the_matrix_root() -> None:
    c1, c2 = np.array([[4.0, 1.5], [1.5, 1.0]]), np.array([[1.0, -0.8], [-0.8, 3.0]])
    assert not np.allclose(c1 @ c2, c2 @ c1)
    mean = np.array([0.3, -0.7])
    expected = (mean**2).sum() + np.trace(c1 + c2 - 2 * np.real(sqrtm(c1 @ c2)))
    first, second = samples(mean, c1, 50, 0), samples(np.zeros(2), c2, 70, 1)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(second, first) == pytest.approx(expected, rel=1e-9)


def test_frechet_with_fewer_faces_than_features() -> None:
    """Below full rank: equal sets are at 0, a shifted set at the squared shift."""
    few = np.random.default_rng(0).normal(size=(6, 40)).astype(np.float32)
    shift = np.linspace(-1, 1, 40, dtype=np.float32)
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(few, few + shift) == pytest.approx(float((shift.astype(float) ** 2).sum()), rel=1e-5)


@pytest.mark.parametrize(("n", "m"), [(6, 6), (6, 90), (90, 6), (90, 90)])
def test_frechet_of_samples_is_that_of_their_covariances(n: int, m: int) -> None:
    """Also where one or both are singular; samples and covariances take different ways to the roots."""
    generator = np.random.default_rng(0)
    mixed = generator.normal(size=(20, 20))
    first, second = generator.normal(size=(n, 20)) @ mixed, generator.normal(0.3, 2, size=(m, 20))
    stated = [moments_of_covariance(x.mean(0), np.cov(x, rowvar=False)) for x in (first, second)]
    assert frechet_distance(first, second) == pytest.approx(frechet_between(*stated), rel=1e-6)
    assert max(len(moments(x).root) for x in (first, second)) <= 20


class Levels(nn.Module):
    """Twelve features of tiny pictures: their levels."""

    num_features = 12

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.flatten(1).float() / 64


def pictures(n: int, brightest: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, brightest, (n, 3, 2, 2), generator=generator, dtype=torch.uint8)


def test_frechet_equals_torchmetrics_and_torch_fidelity() -> None:
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric
    from torchmetrics.image.fid import FrechetInceptionDistance

    first, second = pictures(80, 256, 0), pictures(50, 200, 1)
    metric = FrechetInceptionDistance(feature=Levels(), input_img_size=(3, 2, 2))
    metric.update(first, real=False)
    metric.update(second, real=True)
    features = [Levels()(x) for x in (first, second)]
    measured = frechet_distance(*(x.numpy() for x in features))
    assert measured == pytest.approx(float(metric.compute()), rel=1e-4)
    statistics = [fid_features_to_statistics(x.double()) for x in features]
    assert measured == pytest.approx(fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID], rel=1e-9)


def test_kernel_distance_equals_torchmetrics_and_torch_fidelity() -> None:
    """Over all pairs, where their one subset is the whole set."""
    from torch_fidelity.metric_kid import kernel_mmd
    from torchmetrics.image.kid import KernelInceptionDistance

    first, second = pictures(40, 256, 0), pictures(40, 200, 1)
    with pytest.warns(UserWarning, match="features in buffer"):
        metric = KernelInceptionDistance(feature=Levels(), subsets=1, subset_size=40)
    metric.update(first, real=False)
    metric.update(second, real=True)
    features = [Levels()(x).numpy() for x in (first, second)]
    measured = kernel_distance(*features)
    assert measured == pytest.approx(float(metric.compute()[0]), rel=1e-4)
    assert measured == pytest.approx(kernel_mmd(*(x.astype(np.float64) for x in features)), rel=1e-9)


def test_kernel_distance_of_sets_of_two_sizes_equals_the_double_loop() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(5, 3)), generator.normal(0.5, 1, size=(4, 3))

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / 3 + 1) ** 3)

    within = [
        sum(kernel(s[i], s[j]) for i in range(len(s)) for j in range(len(s)) if i != j) / (len(s) * (len(s) - 1))
        for s in (x, y)
    ]
    across = sum(kernel(a, b) for a in x for b in y) / 20
    assert kernel_distance(x, y) == pytest.approx(sum(within) - 2 * across, rel=1e-12)


def test_kernel_distance_is_unbiased_where_frechet_is_not() -> None:
    generator = np.random.default_rng(0)
    draws = [(generator.normal(size=(12, 8)), generator.normal(size=(12, 8))) for _ in range(400)]
    kernels = np.array([kernel_distance(*draw) for draw in draws])
    assert abs(kernels.mean()) < 4 * kernels.std(ddof=1) / np.sqrt(len(kernels))
    assert min(frechet_distance(*draw) for draw in draws[:20]) > 1


@pytest.mark.parametrize("likeness", [0.0, 0.5, 0.9])
def test_the_paired_kernel_distance_is_unbiased_however_alike_partners_are(likeness: float) -> None:
    generator = np.random.default_rng(1)
    found, naive = [], []
    for _ in range(400):
        truth = generator.normal(size=(12, 8))
        restored = likeness * truth + np.sqrt(1 - likeness**2) * generator.normal(size=(12, 8))
        found.append(paired_kernel_distance(restored, truth))
        naive.append(kernel_distance(restored, truth))
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert abs(np.mean(found)) < 4 * error
    assert likeness == 0 or np.mean(naive) < -10 * error, "with partners among the pairs it is not"


def test_perfect_restorations_are_at_distance_zero_of_the_paired_kernel() -> None:
    truth = np.random.default_rng(2).normal(size=(20, 8))
    assert paired_kernel_distance(truth, truth.copy()) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance, paired_kernel_distance])
def test_one_face_is_too_few(distance: object) -> None:
    assert callable(distance)
    with pytest.raises(ValueError, match="at least two faces"):
        distance(np.zeros((1, 3)), np.zeros((1, 3)))


class Pixels:
    """The pixels of small faces as features."""

    key = "pixels"

    def __call__(
        self, image: Float[Tensor, "b 3 h w"], landmarks: Float[Tensor, "b 5 2"] | None
    ) -> Float[Tensor, "b d"]:
        return image.flatten(1)


@pytest.mark.parametrize(("kind", "distance"), [(FrechetKind, frechet_distance), (KernelKind, paired_kernel_distance)])
def test_a_kind_compares_features_with_those_of_the_ground_truth(
    kind: type[FrechetKind | KernelKind], distance: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert callable(distance)
    network = FeatureNetwork(source="pixels", weights="inception_fid", load=lambda context: Pixels())
    monkeypatch.setitem(FEATURE_NETWORKS, "pixels", network)
    context = BuildContext(str(tmp_path), torch.device("cpu"))
    context.shared("sha256 inception_fid", lambda: "ab" * 32)
    metric = kind("pixels").build("fd/x", context)
    (definition,) = metric.definitions
    assert (definition.id, definition.needs, definition.extractor_sha256) == ("fd/x", ("truth",), "ab" * 32)
    assert metric.extractor is KernelKind("pixels").build("another", context).extractor, "one network for both"
    first, second = (x.flatten(1).double().numpy() / 255 for x in (pictures(9, 256, 0), pictures(9, 256, 1)))
    assert metric.distances(first, second) == {"fd/x": distance(first, second)}


def test_an_unknown_extractor_is_refused() -> None:
    with pytest.raises(ValueError, match=r"extractor 'inception' is not one of inception_pytorch_fid, .*mobilenet_v2"):
        FrechetKind("inception")
