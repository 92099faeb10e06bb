"""Small landmark detector."""

import pytest
import torch
import torch.nn.functional as F

from src.losses.landmark import gaussian_heatmaps, heatmap_divergence, landmark_distance
from src.networks.landmark_detector import LandmarkDetector, heatmap_means
from src.settings.scale import LandmarkDetectorSize

SIZE = LandmarkDetectorSize(input_size=64, width=16, landmarks=68)
SMALL = LandmarkDetectorSize(input_size=32, width=8, landmarks=2)


def test_the_mean_of_a_gaussian_is_its_centre_in_x_and_y() -> None:
    centres = 0.3 + 0.4 * torch.rand(2, 5, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(heatmap_means(gaussian_heatmaps(centres, (24, 32))), centres, atol=1e-3, rtol=0)
    cell = torch.zeros(1, 1, 4, 8)
    cell[0, 0, 3, 0] = 1
    assert heatmap_means(cell).tolist() == [[[0.5 / 8, 3.5 / 4]]]


def test_heatmaps_are_distributions_at_a_quarter_of_the_side_and_the_network_is_small() -> None:
    network = LandmarkDetector(SIZE).eval()
    heatmaps = network.heatmaps(torch.rand(2, 3, 64, 64) * 2 - 1)
    assert heatmaps.shape == (2, 68, 16, 16)
    torch.testing.assert_close(heatmaps.sum((2, 3)), torch.ones(2, 68))
    assert sum(p.numel() for p in network.parameters()) < 700_000


def test_points_are_in_pixels_of_the_image_whatever_its_side() -> None:
    network = LandmarkDetector(SMALL).eval()
    large = torch.rand(2, 3, 160, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1
    small = F.interpolate(large, (32, 32), mode="bilinear", antialias=True)
    torch.testing.assert_close(network(large), network(small) * torch.tensor([4.0, 5.0]))


def dots(places: torch.Tensor) -> torch.Tensor:
    """A red dot at the first and a blue one at the second place (x, y), shares of the side."""
    blobs = gaussian_heatmaps(places, (32, 32), sigma=2.0)
    red, blue = (blobs / blobs.amax((2, 3), keepdim=True)).unbind(1)
    return torch.stack([red, torch.zeros_like(red), blue], dim=1) * 2 - 1


def test_it_learns_to_find_coloured_dots() -> None:
    torch.manual_seed(0)
    network = LandmarkDetector(SMALL)
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    for _ in range(60):
        places = 0.15 + 0.7 * torch.rand(16, 2, 2)
        heatmaps = network.heatmaps(dots(places))
        loss = landmark_distance(heatmap_means(heatmaps), places) + heatmap_divergence(heatmaps, places)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    places = 0.15 + 0.7 * torch.rand(16, 2, 2)
    error = (network.eval()(dots(places)) - 32 * places).norm(dim=2).mean()
    assert error < 2.5, "the middle of the picture is 8.6 pixels away"


def test_an_input_size_that_does_not_halve_is_refused() -> None:
    with pytest.raises(ValueError, match="input_size 40 must be a multiple of 16"):
        LandmarkDetector(LandmarkDetectorSize(input_size=40, width=8, landmarks=68))
