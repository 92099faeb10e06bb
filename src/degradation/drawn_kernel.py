"""The blur kernel that a draw stands for."""

import numpy as np
from jaxtyping import Float

from src.degradation.drawn import KernelDraw
from src.degradation.kernels import (
    gaussian_kernel,
    gaussian_taps,
    generalised_kernel,
    motion_kernel,
    plateau_kernel,
    sinc_kernel,
    trim,
)


def separable_taps(drawn: KernelDraw) -> Float[np.ndarray, "k"] | None:
    """Taps along either axis where the kernel is their outer product, else None; negligible ones are cut off."""
    return trim(gaussian_taps(drawn.size, drawn.sigma_x)) if drawn.kind == "isotropic" else None


def kernel_weights(drawn: KernelDraw) -> Float[np.ndarray, "k k"]:
    """The whole kernel, `drawn.size` taps a side."""
    axes = (drawn.size, drawn.sigma_x, drawn.sigma_y, drawn.angle)
    family = drawn.kind.split("_")[0]
    if family == "generalised":
        return generalised_kernel(*axes, drawn.beta)
    if family == "plateau":
        return plateau_kernel(*axes, drawn.beta)
    if family == "motion":
        return motion_kernel(drawn.size, drawn.length, drawn.angle)
    if family == "sinc":
        return sinc_kernel(drawn.size, drawn.cutoff)
    return gaussian_kernel(*axes)
