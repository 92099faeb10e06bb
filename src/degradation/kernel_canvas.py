"""The blur kernels of a batch, built on the device where a formula allows; equal to those of `kernels`."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from src.degradation.canvas import device_tensor, to_device
from src.degradation.drawn import KernelDraw
from src.degradation.drawn_kernel import kernel_weights

_FROM_HOST = ("motion", "sinc")


def kernel_canvas(draws: Sequence[KernelDraw], device: torch.device) -> Float64[Tensor, "b k k"]:
    """Every kernel in the middle of the largest one's square; rows are y, columns x, sums are 1."""
    size = max(drawn.size for drawn in draws)
    offsets = torch.arange(size, device=device) - size // 2
    plateau = device_tensor([drawn.kind.startswith("plateau") for drawn in draws], device, torch.bool)
    reach = device_tensor([drawn.size // 2 for drawn in draws], device)[:, None, None]
    across, down = offsets.abs() <= reach, offsets.abs()[:, None] <= reach
    weights = torch.where(across & down, _gaussian_or_plateau(draws, offsets, plateau[:, None, None]), 0.0)
    weights = weights / weights.sum((1, 2), keepdim=True)
    others = [place for place, drawn in enumerate(draws) if drawn.kind in _FROM_HOST]
    if not others:
        return weights
    return weights.index_copy(
        0, device_tensor(others, device), _from_host([draws[place] for place in others], size, device)
    )


def _gaussian_or_plateau(
    draws: Sequence[KernelDraw], offsets: Int64[Tensor, "k"], plateau: Bool[Tensor, "b 1 1"]
) -> Float64[Tensor, "b k k"]:
    """Generalised Gaussians, of which the plain ones have exponent 1, and plateaus; not normalised."""
    rows = [(d.sigma_x or 1.0, d.sigma_y or 1.0, math.cos(d.angle), math.sin(d.angle), d.beta or 1.0) for d in draws]
    table = device_tensor(rows, offsets.device, torch.float64).T[..., None, None]
    sigma_x, sigma_y, cosine, sine, beta = table
    x, y = offsets.double(), offsets.double()[:, None]
    radius = ((cosine * x + sine * y) / sigma_x) ** 2 + ((cosine * y - sine * x) / sigma_y) ** 2
    power = radius**beta
    return torch.where(plateau, 1 / (1 + power), torch.exp(-0.5 * power))


def _from_host(draws: Sequence[KernelDraw], size: int, device: torch.device) -> Float64[Tensor, "g k k"]:
    """Kernels that tensors have no exact formula for: torch's Bessel function is good to 7 digits only."""
    kernels = np.zeros((len(draws), size, size))
    for kernel, drawn in zip(kernels, draws, strict=True):
        margin = (size - drawn.size) // 2
        kernel[margin : size - margin, margin : size - margin] = kernel_weights(drawn)
    return to_device(torch.from_numpy(kernels), device)
