"""Noise schedules of a discrete diffusion process (DDPM, arXiv 2006.11239; Improved DDPM, arXiv 2102.09672).

q(x_t | x_0) = Normal(sqrt(alpha_bar_t) x_0, (1 - alpha_bar_t) I) with alpha_bar_t the product of 1 - beta_s over s <= t.
Index 0 is one noising step; the state before it, x_{-1} in this counting, is the clean x_0 with alpha_bar = 1.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Float64, Int, Int64
from torch import Tensor

from src.degradation.canvas import to_device
from src.diffusion.noise_level import NoiseLevel
from src.diffusion.timestep_sampling import uniform_timesteps
from src.settings.errors import UserError

Curve = Float64[np.ndarray, "steps"]


def linear_betas(steps: int = 1000, first: float = 1e-4, last: float = 0.02) -> Curve:
    """Betas in equal increments from `first` to `last`, both times 1000 / steps (DDPM, section 4).

    The factor keeps the noise level at the end of the process. Raises UserError if a beta leaves (0, 1).
    """
    return _within(1000 / steps * np.linspace(first, last, steps), "linear")


def _within(betas: Curve, kind: str) -> Curve:
    if not (betas[0] > 0 and betas[-1] > 0 and betas.max() < 1):
        raise UserError(
            f"process: {kind} betas from {betas[0]:.3g} to {betas[-1]:.3g} over {betas.size} steps are not all in (0, 1); "
            "choose more steps, or first_beta and last_beta smaller and positive"
        )
    return betas


def sqrt_linear_betas(steps: int = 1000, first: float = 0.0015, last: float = 0.0195) -> Curve:
    """Betas whose square roots rise in equal steps, `first` and `last` times 1000 / steps as in `linear_betas`.

    By default those of Latent Diffusion (arXiv 2112.10752; clr_face.md 4). Raises UserError if a beta leaves (0, 1).
    """
    return _within(1000 / steps * np.linspace(first**0.5, last**0.5, steps) ** 2, "square-root-linear")


def cosine_betas(steps: int = 1000, offset: float = 0.008) -> Curve:
    """Betas of alpha_bar = cos^2((t / T + offset) / (1 + offset) pi / 2), at most 0.999 (Improved DDPM, equation 17)."""
    angle = (np.arange(steps + 1) / steps + offset) / (1 + offset) * np.pi / 2
    alphas_cumprod = np.cos(angle) ** 2
    return np.minimum(1 - alphas_cumprod[1:] / alphas_cumprod[:-1], 0.999)


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """Every coefficient of the process and of its posterior, float64 (DDPM, equations 4 to 7)."""

    betas: Curve
    timestep_map: Int64[np.ndarray, "steps"]
    """What the network is told at each index: the timestep of the process that it was trained on."""

    @classmethod
    def from_betas(cls, betas: Curve) -> "NoiseSchedule":
        """The process of these betas, which is its own training process. Raises ValueError outside of (0, 1)."""
        if not (betas.size and (betas > 0).all() and (betas < 1).all()):
            raise ValueError("betas must be one or more numbers in (0, 1)")
        return cls(betas, np.arange(betas.size, dtype=np.int64))

    @classmethod
    def linear(cls, steps: int = 1000, first: float = 1e-4, last: float = 0.02) -> "NoiseSchedule":
        """The process of `linear_betas`; by default the published one of DifFace (difface.md 1.1)."""
        return cls.from_betas(linear_betas(steps, first, last))

    @classmethod
    def sqrt_linear(cls, steps: int = 1000, first: float = 0.0015, last: float = 0.0195) -> "NoiseSchedule":
        """The process of `sqrt_linear_betas`; by default that of Latent Diffusion's faces."""
        return cls.from_betas(sqrt_linear_betas(steps, first, last))

    @classmethod
    def cosine(cls, steps: int = 1000, offset: float = 0.008) -> "NoiseSchedule":
        """The process of `cosine_betas`."""
        return cls.from_betas(cosine_betas(steps, offset))

    def __len__(self) -> int:
        """Noising steps T."""
        return self.betas.size

    def level(self, timestep: int | float) -> NoiseLevel:
        """See `NoisingProcess`. Raises ValueError for what is no whole number from 0 to T - 1."""
        if not (0 <= timestep < len(self) and timestep == int(timestep)):
            raise ValueError(f"timestep {timestep} is no whole number from 0 to {len(self) - 1}")
        alpha_bar = float(self.alphas_cumprod[int(timestep)])
        return NoiseLevel(math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar), float(self.log_snr[int(timestep)]))

    def marginal(self, t: Int[Tensor, "b"]) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
        """sqrt(alpha_bar_t) and sqrt(1 - alpha_bar_t), float32."""
        alpha_bar = self.alphas_cumprod
        alpha, sigma = (
            to_device(torch.as_tensor(np.sqrt(square), dtype=torch.float32), t.device)
            for square in (alpha_bar, 1 - alpha_bar)
        )
        return alpha[t], sigma[t]

    def network_time(self, t: Int[Tensor, "b"]) -> Int[Tensor, "b"]:
        """The entry of `timestep_map`."""
        return to_device(torch.as_tensor(self.timestep_map), t.device)[t]

    def times(self, u: Float[Tensor, "b"]) -> Int[Tensor, "b"]:
        """floor(u T), every timestep equally often."""
        return uniform_timesteps(u, len(self))

    def at(self, part: int | float) -> int:
        """The timestep after which about part T noising steps are done, at least one."""
        return max(round(part * len(self)) - 1, 0)

    @cached_property
    def alphas_cumprod(self) -> Curve:
        """alpha_bar_t."""
        return np.cumprod(1 - self.betas)

    @cached_property
    def alphas_cumprod_prev(self) -> Curve:
        """alpha_bar_{t-1}; 1 before index 0."""
        return np.append(1.0, self.alphas_cumprod[:-1])

    @cached_property
    def log_snr(self) -> Curve:
        """lambda_t = log(sqrt(alpha_bar_t) / sqrt(1 - alpha_bar_t)), half the log signal-to-noise ratio."""
        return (np.log(self.alphas_cumprod) - np.log1p(-self.alphas_cumprod)) / 2

    @cached_property
    def posterior_variance(self) -> Curve:
        """Variance of q(x_{t-1} | x_t, x_0); 0 at index 0."""
        return self.betas * (1 - self.alphas_cumprod_prev) / (1 - self.alphas_cumprod)

    @cached_property
    def posterior_log_variance_clipped(self) -> Curve:
        """Its logarithm, at index 0 that of index 1 (of beta_0 in a process of one step)."""
        return np.log(np.append(self._first_variance, self.posterior_variance[1:]))

    @cached_property
    def log_betas_clipped(self) -> Curve:
        """log beta_t, at index 0 as `posterior_log_variance_clipped`: the greater of the two fixed variances of DDPM."""
        return np.log(np.append(self._first_variance, self.betas[1:]))

    @cached_property
    def posterior_mean_coef1(self) -> Curve:
        """Coefficient of x_0 in the mean of q(x_{t-1} | x_t, x_0)."""
        return self.betas * np.sqrt(self.alphas_cumprod_prev) / (1 - self.alphas_cumprod)

    @cached_property
    def posterior_mean_coef2(self) -> Curve:
        """Coefficient of x_t in the mean of q(x_{t-1} | x_t, x_0)."""
        return (1 - self.alphas_cumprod_prev) * np.sqrt(1 - self.betas) / (1 - self.alphas_cumprod)

    @property
    def _first_variance(self) -> np.float64:
        return self.posterior_variance[1] if len(self) > 1 else self.betas[0]


def gather(values: Curve, t: Int[Tensor, "b"], like: Float[Tensor, "b ..."]) -> Float[Tensor, "b ..."]:
    """values[t] in at least float32, one number a sample, shaped to multiply `like`."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    return to_device(torch.as_tensor(values, dtype=dtype), like.device)[t].view(-1, *[1] * (like.ndim - 1))
