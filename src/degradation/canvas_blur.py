"""Blur of a batch through the Fourier transform, one kernel an image (performance.md 1.7)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float32, Float64, Int64
from scipy.fft import next_fast_len
from torch import Tensor

from src.degradation.canvas import Canvas, device_tensor, pixels_at
from src.degradation.drawn import KernelDraw
from src.degradation.kernel_canvas import kernel_canvas


def blur_canvas(canvas: Canvas, picks: Sequence[int], draws: Sequence[KernelDraw]) -> Canvas:
    """Each of the samples `picks` correlated with its own kernel; reflect-101 border."""
    sides = canvas.sides_of(picks)
    return canvas.replaced(picks, _blur(canvas.chosen(picks), sides, kernel_canvas(draws, canvas.device)))


def _blur(
    levels: Float32[Tensor, "g 3 m m"], sides: Sequence[int], kernels: Float64[Tensor, "g k k"]
) -> Float32[Tensor, "g 3 m m"]:
    """In float64: rounding of a float32 transform moves enough values across an 8-bit level before the JPEG, which turns
    one level into a changed block, to miss the agreement with the CPU engine (performance.md, target 5).
    """
    side, size = levels.shape[-1], kernels.shape[-1]
    length = next_fast_len(side + size - 1, real=True)
    places = _reflected(length, size // 2, sides, levels.device)
    padded = pixels_at(levels, places, places).double()
    spectrum = torch.fft.rfft2(padded) * torch.fft.rfft2(kernels, s=(length, length))[:, None].conj()
    return torch.fft.irfft2(spectrum, s=(length, length))[..., :side, :side].float()


def _reflected(length: int, reach: int, sides: Sequence[int], device: torch.device) -> Int64[Tensor, "g l"]:
    """Indices of -reach .. length - reach - 1 after reflection about the outermost pixels, again where a side is small."""
    last = device_tensor(sides, device)[:, None] - 1
    places = torch.arange(-reach, length - reach, device=device)
    turned = places % (2 * last).clamp(min=1)
    return torch.minimum(turned, (2 * last - turned).clamp_(min=0))
