"""Landmarks, smooth fields and textures with known geometry."""

import torch
from torch import Tensor

from src.registration.registered import LandmarkPair
from src.registration.warp import pixel_grid

HEIGHT, WIDTH = 40, 56
MATRICES = torch.tensor(
    [[[1.1, 0.2, -4.0], [-0.15, 0.9, 3.0]], [[0.8, -0.1, 2.5], [0.05, 1.2, -1.0]]], dtype=torch.float64
)
"""Two affine maps without anything in common."""


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed))


def texture(batch: int, height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=generator(seed)) * 2 - 1


def scattered_points(batch: int, count: int, height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> Tensor:
    """Points on whole pixels, all different, so that fields can be read there without interpolation."""
    drawn = [torch.randperm(height * width, generator=generator(seed + face))[:count] for face in range(batch)]
    places = torch.stack(drawn)
    return torch.stack([places % width, places // width], dim=-1).float()


def transformed(matrices: Tensor, points: Tensor) -> Tensor:
    """A p of every point, in the points' precision."""
    return (points.double() @ matrices[:, :, :2].mT + matrices[:, None, :, 2]).to(points.dtype)


def affine_pair(count: int = 12) -> LandmarkPair:
    fixed = scattered_points(len(MATRICES), count)
    return LandmarkPair(moving=transformed(MATRICES, fixed), fixed=fixed)


def irregular_pair(batch: int = 2, count: int = 12) -> LandmarkPair:
    """Landmarks that no affine map explains."""
    fixed = scattered_points(batch, count)
    return LandmarkPair(moving=fixed + 3 * noise(batch, count, 2, seed=7), fixed=fixed)


def values_at(field: Tensor, points: Tensor) -> Tensor:
    """The field at whole pixels, by indexing."""
    columns, rows = points.long().unbind(-1)
    return torch.stack([face[:, i, j].T for face, i, j in zip(field, rows, columns, strict=True)])


def smooth_field(height: int, width: int, peak: float, waves: float = 1.0) -> Tensor:
    """Two faces' fields of waves that vanish at the border; the longest displacement along an axis is `peak` pixels."""
    x, y = pixel_grid(height, width, torch.zeros(1))
    x, y = x / (width - 1) * torch.pi, y / (height - 1) * torch.pi
    window = torch.sin(x) * torch.sin(y)
    one = torch.stack([window * torch.cos(waves * y), window * torch.sin(waves * x + 1)])
    other = torch.stack([-window * torch.sin(waves * (x + y)), window * torch.cos(waves * x - y)])
    fields = torch.stack([one, other])
    return peak * fields / fields.abs().amax((2, 3), keepdim=True)
