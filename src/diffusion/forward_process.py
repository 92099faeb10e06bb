"""The noising process q of one batch, each sample at its own timestep (DDPM, arXiv 2006.11239, equations 4 and 7)."""

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from src.diffusion.schedule import NoiseSchedule, gather

Images = Float[Tensor, "b c h w"]


def noised(schedule: NoiseSchedule, x0: Images, t: Int[Tensor, "b"], z: Images) -> Images:
    """x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) z, a draw of q(x_t | x_0) for standard normal z."""
    alpha_bar = schedule.alphas_cumprod
    return gather(np.sqrt(alpha_bar), t, x0) * x0 + gather(np.sqrt(1 - alpha_bar), t, z) * z


def posterior_mean(schedule: NoiseSchedule, x0: Images, x_t: Images, t: Int[Tensor, "b"]) -> Images:
    """Mean of q(x_{t-1} | x_t, x_0)."""
    coef1, coef2 = schedule.posterior_mean_coef1, schedule.posterior_mean_coef2
    return gather(coef1, t, x0) * x0 + gather(coef2, t, x_t) * x_t
