"""k-means clustering: centres from which a codebook starts (clr_face.md 2)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

DISTANCES_AT_ONCE = 2**25
"""Distances that are held in memory at a time: 128 MiB."""


@torch.no_grad()
def k_means(
    points: Float[Tensor, "n d"], k: int, generator: torch.Generator, iterations: int = 20
) -> Float[Tensor, "{k} d"]:
    """Centres of k clusters, float32: k-means++ (Arthur and Vassilvitskii 2007), then `iterations` of Lloyd's algorithm.

    `generator` is a CPU generator; it alone decides about the start. With fewer than k distinct points, all of them are
    centres, one of them more than once. Raises ValueError without points, for k < 1 and for points that are not finite.
    """
    if not len(points) or k < 1 or not bool(points.isfinite().all()):
        raise ValueError(f"expected finite points and at least 1 centre, got {tuple(points.shape)} points and k = {k}")
    points = points.float()
    centres = _spread(points, k, generator)
    for _ in range(iterations):
        moved = _means(points, _nearest(points, centres), centres)
        if torch.equal(moved, centres):
            break
        centres = moved
    return centres


def _spread(points: Float[Tensor, "n d"], k: int, generator: torch.Generator) -> Float[Tensor, "{k} d"]:
    """Points drawn one after the other with a probability that grows with the squared distance to those drawn before."""
    draws = torch.rand(k, generator=generator, dtype=torch.float64).tolist()
    chosen = [points[int(draws[0] * len(points))]]
    squared = (points - chosen[0]).square().sum(1)
    for draw in draws[1:]:
        cumulated = squared.double().cumsum(0)
        # The first point that exceeds the draw has a distance; where none has one, the last point is repeated.
        index = torch.searchsorted(cumulated, draw * cumulated[-1:], right=True).clamp(max=len(points) - 1)
        chosen.append(points[index[0]])
        squared = torch.minimum(squared, (points - chosen[-1]).square().sum(1))
    return torch.stack(chosen)


def _nearest(points: Float[Tensor, "n d"], centres: Float[Tensor, "k d"]) -> Int[Tensor, "n"]:
    """Index of the nearest centre of every point; the first of equal ones."""
    norms = centres.square().sum(1)
    parts = points.split(max(1, DISTANCES_AT_ONCE // len(centres)))
    return torch.cat([torch.addmm(norms, part, centres.t(), alpha=-2.0).argmin(1) for part in parts])


def _means(
    points: Float[Tensor, "n d"], nearest: Int[Tensor, "n"], centres: Float[Tensor, "k d"]
) -> Float[Tensor, "k d"]:
    """Mean of every cluster; a centre without points stays."""
    # In double precision, so that the order in which a GPU adds does not show.
    sums = torch.zeros_like(centres, dtype=torch.float64).index_add_(0, nearest, points.double())
    counts = torch.bincount(nearest, minlength=len(centres))[:, None]
    return torch.where(counts > 0, (sums / counts.clamp(min=1)).float(), centres)
