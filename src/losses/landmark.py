"""Losses of landmarks that are means of heatmaps (DSNT, arXiv 1801.07372, sections 3.2 and 3.3)."""

import torch
from jaxtyping import Float
from torch import Tensor

SIGMA = 1.0
"""Deviation of the target's heatmap, cells: the paper's."""
LEAST = 1e-12
"""Keeps the logarithm finite."""


def landmark_distance(points: Float[Tensor, "b k 2"], target: Float[Tensor, "b k 2"]) -> Float[Tensor, ""]:
    """Mean Euclidean distance, in the unit of the points."""
    return (points - target).norm(dim=2).mean()


def heatmap_divergence(
    heatmaps: Float[Tensor, "b k h w"], target: Float[Tensor, "b k 2"], sigma: float = SIGMA
) -> Float[Tensor, ""]:
    """Mean Jensen-Shannon divergence, 0 to log 2, of heatmaps to Gaussians around their landmarks.

    `target` (x, y) as shares of width and height; `sigma` in cells. Each heatmap sums to 1.
    """
    wanted = gaussian_heatmaps(target, (heatmaps.shape[-2], heatmaps.shape[-1]), sigma)
    middle = ((heatmaps + wanted) / 2).clamp_min(LEAST).log()
    return (_divergence(heatmaps, middle) + _divergence(wanted, middle)).mean() / 2


def gaussian_heatmaps(
    centres: Float[Tensor, "b k 2"], shape: tuple[int, int], sigma: float = SIGMA
) -> Float[Tensor, "b k h w"]:
    """Gaussians around (x, y), shares of width and height, over (height, width) cells.

    Each sums to 1, also where its centre is outside; `sigma` in cells.
    """
    x, y = (_gaussian(centres[..., axis] * cells, cells, sigma) for axis, cells in enumerate(reversed(shape)))
    return y[..., :, None] * x[..., None, :]


def _gaussian(centres: Float[Tensor, "b k"], cells: int, sigma: float) -> Float[Tensor, "b k cells"]:
    """`centres` in cells, 0.5 in the middle of the first."""
    middles = torch.arange(cells, device=centres.device) + 0.5
    return (-((middles - centres[..., None]) ** 2) / (2 * sigma**2)).softmax(-1)


def _divergence(heatmaps: Float[Tensor, "b k h w"], log_other: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k"]:
    """Kullback-Leibler divergence."""
    return (heatmaps * (heatmaps.clamp_min(LEAST).log() - log_other)).sum((2, 3))
