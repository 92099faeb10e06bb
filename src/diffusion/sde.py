"""Noising by a stochastic differential equation dz = f(z, t) dt + g(t) dw (Song et al. 2021, arXiv 2011.13456, section 3.4).

Both are affine in z, so that their marginals are normal in closed form; with score = grad log p_t they are inverted by
dz = (f - g^2 score) dt + g dw_bar, or by the probability-flow ODE dz = (f - g^2 score / 2) dt (equations 6 and 13).
"""

import math
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from src.diffusion.noise_level import LatentProcess, NoiseLevel

Times = Float[Tensor, "b"]
Time = TypeVar("Time", float, Tensor)
TIME_SCALE = 999.0
"""Of the network's time: t in [0, 1] falls on the scale of a discrete process of 1000 steps."""


@runtime_checkable
class Sde(LatentProcess, Protocol):
    """A process that is continuous in t from `smallest_time` to 1."""

    @property
    def smallest_time(self) -> int | float:
        """Where training and sampling end, for at t = 0 the score of data on a manifold has no bound."""
        ...

    def drift_rate(self, t: int | float) -> float:
        """f(z, t) / z."""
        ...

    def diffusion(self, t: int | float) -> float:
        """g(t)"""
        ...

    def time(self, log_snr: float) -> float:
        """The t at which lambda = log(alpha / sigma) has this value."""
        ...


class UnitTime:
    """What every time in [smallest_time, 1] means to training and network."""

    smallest_time: int | float

    def network_time(self, t: Times) -> Times:
        """999 t; of a variance-exploding process this is affine in log sigma."""
        return TIME_SCALE * t

    def times(self, u: Times) -> Times:
        """Uniform from `smallest_time` to 1."""
        return self.smallest_time + u * (1 - self.smallest_time)

    def at(self, part: int | float) -> float:
        """The part itself."""
        return float(part)


@dataclass(frozen=True)
class VariancePreserving(UnitTime):
    """dz = -beta(t) z / 2 dt + sqrt(beta(t)) dw, beta(t) = beta_min + t (beta_max - beta_min) (equations 11 and 33).

    alpha = exp(-t^2 (beta_max - beta_min) / 4 - t beta_min / 2), sigma^2 = 1 - alpha^2.
    """

    beta_min: int | float = 0.1
    beta_max: int | float = 20.0
    smallest_time: int | float = 1e-3

    def level(self, timestep: int | float) -> NoiseLevel:
        """At a time in (0, 1]."""
        log_alpha = self._log_alpha(float(timestep))
        sigma = math.sqrt(-math.expm1(2 * log_alpha))
        return NoiseLevel(math.exp(log_alpha), sigma, log_alpha - math.log(sigma))

    def marginal(self, t: Times) -> tuple[Times, Times]:
        """alpha and sigma of each time."""
        log_alpha = self._log_alpha(t)
        return torch.exp(log_alpha), torch.sqrt(-torch.expm1(2 * log_alpha))

    def drift_rate(self, t: int | float) -> float:
        """-beta(t) / 2"""
        return -self._beta(t) / 2

    def diffusion(self, t: int | float) -> float:
        """sqrt(beta(t))"""
        return math.sqrt(self._beta(t))

    def time(self, log_snr: float) -> float:
        """The root of t^2 (beta_max - beta_min) / 2 + t beta_min = log(1 + e^(-2 lambda)) = -2 log alpha."""
        integral = math.log1p(math.exp(-2 * log_snr))
        rise = self.beta_max - self.beta_min
        return 2 * integral / (self.beta_min + math.sqrt(self.beta_min**2 + 2 * rise * integral))

    def _beta(self, t: int | float) -> float:
        return self.beta_min + t * (self.beta_max - self.beta_min)

    def _log_alpha(self, t: Time) -> Time:
        return -(t**2) * (self.beta_max - self.beta_min) / 4 - t * self.beta_min / 2


@dataclass(frozen=True)
class VarianceExploding(UnitTime):
    """dz = sqrt(d sigma^2 / dt) dw, sigma = sigma_min (sigma_max / sigma_min)^t; alpha = 1 (equations 9 and 31).

    Equal steps of t are equal steps of log-SNR.
    """

    sigma_min: int | float
    sigma_max: int | float
    smallest_time: int | float = 1e-3

    def level(self, timestep: int | float) -> NoiseLevel:
        """At a time in [0, 1]."""
        log_sigma = math.log(self.sigma_min) + timestep * self._growth
        return NoiseLevel(1.0, math.exp(log_sigma), -log_sigma)

    def marginal(self, t: Times) -> tuple[Times, Times]:
        """alpha, all 1, and sigma of each time."""
        return torch.ones_like(t), self.sigma_min * torch.exp(t * self._growth)

    def drift_rate(self, t: int | float) -> float:
        """0"""
        return 0.0

    def diffusion(self, t: int | float) -> float:
        """sigma sqrt(2 log(sigma_max / sigma_min))"""
        return self.level(t).sigma * math.sqrt(2 * self._growth)

    def time(self, log_snr: float) -> float:
        """log(sigma / sigma_min) / log(sigma_max / sigma_min)"""
        return -(log_snr + math.log(self.sigma_min)) / self._growth

    @property
    def _growth(self) -> float:
        return math.log(self.sigma_max / self.sigma_min)
