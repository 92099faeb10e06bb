"""Frechet and kernel distance."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import nn

from src.checkpoints.catalogue import find_weights, load_weights
from src.metrics.distribution import InceptionFeatures, MobileNetFeatures, frechet_distance, kernel_distance


def samples(mean: np.ndarray, covariance: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Samples whose own mean and unbiased covariance are exactly the given ones."""
    drawn = np.random.default_rng(seed).normal(size=(n, len(mean)))
    drawn -= drawn.mean(0)
    white = drawn @ np.linalg.inv(np.linalg.cholesky(np.cov(drawn, rowvar=False))).T
    return white @ np.linalg.cholesky(covariance).T + mean


def test_frechet_of_diagonal_covariances_is_its_closed_form() -> None:
    m1, m2 = np.array([1.0, -2.0, 0.5, 3.0]), np.array([0.0, 1.0, 0.5, -1.0])
    v1, v2 = np.array([4.0, 1.0, 0.25, 9.0]), np.array([1.0, 1.0, 2.25, 16.0])
    measured = frechet_distance(samples(m1, np.diag(v1), 60, 0), samples(m2, np.diag(v2), 90, 1))
    assert measured == pytest.approx(((m1 - m2) ** 2).sum() + ((np.sqrt(v1) - np.sqrt(v2)) ** 2).sum(), rel=1e-9)


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
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(few, few + shift) == pytest.approx(float((shift.astype(float) ** 2).sum()), rel=1e-5)


def test_kernel_distance_equals_the_double_loop() -> None:
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


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_one_face_is_too_few(distance: object) -> None:
    assert callable(distance)
    with pytest.raises(ValueError, match="at least two faces"):
        distance(np.zeros((1, 3)), np.zeros((5, 3)))


def test_mobilenet_features_are_those_of_torchvisions_trunk(root: Path) -> None:
    from torchvision.models import mobilenet_v2

    folder = str(root.parent / "shared" / "weights")
    if not find_weights("mobilenet_v2", folder):
        pytest.skip("the weights of MobileNetV2 are in neither ../shared/weights nor an installed package")
    weights = load_weights("mobilenet_v2", folder)
    image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    measured = MobileNetFeatures(weights, torch.device("cpu"))(image)
    network = mobilenet_v2(weights=None)
    network.load_state_dict(weights)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    features = (image - mean[:, None, None]) / std[:, None, None]
    with torch.inference_mode():
        for layer in list(network.eval().features)[:14]:
            features = layer(features)
    assert measured.shape == (2, 96)
    torch.testing.assert_close(measured, features.mean((2, 3)))


def test_inception_takes_rounded_levels(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """0.999 becomes 255: truncation would give 254 (conventions.md 6.2)."""
    pytest.importorskip("torchmetrics")

    class Recorder(nn.Module):
        def __init__(self, **_: object) -> None:
            super().__init__()

        def forward(self, levels: torch.Tensor) -> torch.Tensor:
            assert levels.dtype == torch.uint8
            return levels.flatten(1).float()

    monkeypatch.setattr("torchmetrics.image.fid.NoTrainInceptionV3", Recorder)
    levels = InceptionFeatures("weights.pth", torch.device("cpu"))(torch.full((2, 3, 1, 1), 0.999))
    assert torch.equal(levels, torch.full((2, 3), 255.0))


def test_inception_with_its_weights(root: Path) -> None:
    pytest.importorskip("torch_fidelity")
    path = find_weights("inception_fid", str(root.parent / "shared" / "weights"))
    if path is None:
        pytest.skip("the weights of Inception are not at hand")
    features = InceptionFeatures(str(path), torch.device("cpu"))(torch.rand(2, 3, 64, 64))
    assert features.shape == (2, 2048)
    assert features.isfinite().all()
