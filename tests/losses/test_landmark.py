"""Losses of landmarks that are means of heatmaps."""

import math

import pytest
import torch
from scipy.spatial.distance import jensenshannon
from torch import Tensor

from src.losses.landmark import gaussian_heatmaps, heatmap_divergence, landmark_distance


def test_the_distance_is_euclidean() -> None:
    points = torch.tensor([[[0.0, 0.0], [1.0, 1.0]]])
    assert landmark_distance(points + torch.tensor([0.3, -0.4]), points).item() == pytest.approx(0.5)
    points.requires_grad_()
    landmark_distance(points, points.detach()).backward()
    assert points.grad is not None
    assert not points.grad.any(), "where the distance is 0 its gradient is finite"


def test_gaussians_are_those_of_the_formula_wherever_their_centre_is() -> None:
    centres = torch.tensor([[[0.5, 0.25], [1.2, -0.1]]])
    found = gaussian_heatmaps(centres, (8, 12), sigma=1.5)
    torch.testing.assert_close(found.sum((2, 3)), torch.ones(1, 2))
    for heatmap, (x, y) in zip(found[0], (centres[0] * torch.tensor([12, 8])).tolist(), strict=True):
        cells = [
            [math.exp(-((c + 0.5 - x) ** 2 + (r + 0.5 - y) ** 2) / (2 * 1.5**2)) for c in range(12)] for r in range(8)
        ]
        expected = torch.tensor(cells) / sum(map(sum, cells))
        torch.testing.assert_close(heatmap, expected)


def random_heatmaps() -> Tensor:
    logits = 3 * torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    return logits.flatten(2).softmax(2).view_as(logits)


def test_the_divergence_is_that_of_jensen_and_shannon() -> None:
    heatmaps, target = random_heatmaps(), torch.rand(2, 3, 2, generator=torch.Generator().manual_seed(1))
    wanted = gaussian_heatmaps(target, (6, 6)).flatten(0, 1).flatten(1).double().numpy()
    distances = jensenshannon(heatmaps.flatten(0, 1).flatten(1).double().numpy(), wanted, axis=1)
    assert heatmap_divergence(heatmaps, target).item() == pytest.approx((distances**2).mean(), rel=1e-5)


def test_the_divergence_runs_from_nothing_to_log_two_with_a_finite_gradient() -> None:
    target = torch.tensor([[[0.1, 0.1]]])
    assert heatmap_divergence(gaussian_heatmaps(target, (32, 32)), target).item() == pytest.approx(0, abs=1e-6)
    far = torch.zeros(1, 1, 32, 32)
    far[..., 31, 31] = 1
    far.requires_grad_()
    loss = heatmap_divergence(far, target)
    assert loss.item() == pytest.approx(math.log(2), rel=1e-5)
    loss.backward()
    assert far.grad is not None
    assert far.grad.isfinite().all()
