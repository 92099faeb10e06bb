"""k-means, and a codebook that starts from its centres."""

import numpy as np
import pytest
import torch
from scipy.cluster.vq import kmeans2
from torch import Tensor

from src.networks import VectorQuantizer, histogram
from src.networks import k_means as module
from src.networks.codebook_health import perplexity
from src.networks.k_means import k_means


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clusters(count: int, points: int, spread: float = 0.01) -> tuple[Tensor, Tensor]:
    """Means in three dimensions, and points around them in random order."""
    means = torch.randn(count, 3, generator=seeded(0))
    labels = torch.randperm(count * points, generator=seeded(1)) % count
    return means, means[labels] + spread * torch.randn(len(labels), 3, generator=seeded(2))


@pytest.mark.parametrize("seed", range(5))
def test_separated_clusters_are_found(seed: int) -> None:
    means, points = clusters(count=6, points=50)
    centres = k_means(points, 6, seeded(seed))
    found = torch.cdist(means, centres)
    assert found.argmin(1).unique().numel() == 6
    assert found.amin(1).max() < 0.01
    assert torch.equal(centres, k_means(points, 6, seeded(seed)))


def test_lloyds_steps_equal_an_independent_implementation(monkeypatch: pytest.MonkeyPatch) -> None:
    points = torch.randn(400, 3, generator=seeded(0))
    start, centres = k_means(points, 12, seeded(3), iterations=0), k_means(points, 12, seeded(3), iterations=4)
    assert (start[:, None] == points[None]).all(2).any(1).all()
    expected, _ = kmeans2(points.double().numpy(), start.double().numpy(), iter=4, minit="matrix")
    np.testing.assert_allclose(centres.numpy(), expected, atol=1e-5)
    # The same whether distances fit into memory at once or not.
    monkeypatch.setattr(module, "DISTANCES_AT_ONCE", 100)
    assert torch.equal(k_means(points, 12, seeded(3), iterations=4), centres)


def test_the_start_prefers_far_points() -> None:
    near, far = torch.randn(1000, 2, generator=seeded(0)) * 0.01, torch.tensor([[100.0, 0.0], [0.0, 100.0]])
    for seed in range(20):
        start = k_means(torch.cat([near, far]), 3, seeded(seed), iterations=0)
        assert (torch.cdist(far, start).amin(1) == 0).all()


def test_fewer_distinct_points_than_centres_give_all_of_them() -> None:
    distinct = torch.tensor([[0.0, 1.0], [2.0, 3.0], [-5.0, 0.0]])
    centres = k_means(distinct.repeat(10, 1), 8, seeded(0))
    assert centres.isfinite().all()
    assert centres.shape == (8, 2)
    assert sorted(map(tuple, centres.unique(dim=0).tolist())) == sorted(map(tuple, distinct.tolist()))


def test_points_that_cannot_be_clustered_are_refused() -> None:
    for points, k in ((torch.zeros(0, 3), 2), (torch.zeros(4, 3), 0), (torch.full((4, 3), torch.nan), 2)):
        with pytest.raises(ValueError, match="expected finite points and at least 1 centre"):
            k_means(points, k, seeded(0))


def test_a_codebook_that_starts_from_centres_is_in_use() -> None:
    torch.manual_seed(0)
    _, points = clusters(count=32, points=64)
    latent = points.view(8, 16, 16, 3).permute(0, 3, 1, 2)
    quantizer = VectorQuantizer(32, 3)
    uniform = perplexity(histogram(quantizer.nearest(latent), 32))
    with torch.no_grad():
        quantizer.embedding.weight.copy_(k_means(points, 32, seeded(0)))
    start = perplexity(histogram(quantizer.nearest(latent), 32))
    assert start > 25
    assert start > 1.5 * uniform
