"""What a network's output says about x_0 and about the variance of a step (Improved DDPM, section 3.1; difface.md 1.1).

The network predicts epsilon, the noise in x_t. With twice the channels of x_t, the others hold v, which places the
log variance of p(x_{t-1} | x_t) between its two bounds.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from src.diffusion.forward_process import Images
from src.diffusion.schedule import NoiseSchedule, gather


class ModelOutput(NamedTuple):
    """A network's output in the precision of the state."""

    epsilon: Images
    interpolation: Images | None
    """v; the bounds are -1 and 1, which nothing enforces. None if the network learned no variance."""


def split_output(output: Float[Tensor, "b _ h w"], x_t: Images) -> ModelOutput:
    """Epsilon and, of twice the channels, v. Raises ValueError for any other number of channels."""
    channels = x_t.shape[1]
    output = output.to(torch.promote_types(x_t.dtype, torch.float32))
    if output.shape[1] == channels:
        return ModelOutput(output, None)
    if output.shape[1] != 2 * channels:
        raise ValueError(f"the network returned {output.shape[1]} channels for a state of {channels}")
    epsilon, interpolation = output.chunk(2, dim=1)
    return ModelOutput(epsilon, interpolation)


def clipped(x0: Images, clip: float | None) -> Images:
    """x_0 within [-clip, clip]; None leaves it."""
    return x0 if clip is None else x0.clamp(-clip, clip)


def predicted_x0(schedule: NoiseSchedule, x_t: Images, epsilon: Images, t: Int[Tensor, "b"]) -> Images:
    """x_t / sqrt(alpha_bar_t) - sqrt(1 / alpha_bar_t - 1) epsilon, not clipped."""
    reciprocal = 1 / schedule.alphas_cumprod
    return gather(np.sqrt(reciprocal), t, x_t) * x_t - gather(np.sqrt(reciprocal - 1), t, x_t) * epsilon


def learned_log_variance(schedule: NoiseSchedule, interpolation: Images, t: Int[Tensor, "b"]) -> Images:
    """f log beta_t + (1 - f) log posterior_variance_t with f = (v + 1) / 2 (Improved DDPM, equation 15)."""
    fraction = (interpolation + 1) / 2
    upper = gather(np.log(schedule.betas), t, interpolation)
    lower = gather(schedule.posterior_log_variance_clipped, t, interpolation)
    return fraction * upper + (1 - fraction) * lower
