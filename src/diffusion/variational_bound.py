"""The terms of the variational bound in bits a dimension (DDPM, arXiv 2006.11239, equation 5 and section 3.3)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from src.diffusion.forward_process import Images

Variances = Float[Tensor, "#b #c #h #w"]
PerSample = Float[Tensor, "b"]


def gaussian_kl(mean: Images, log_variance: Variances, other_mean: Images, other_log_variance: Variances) -> PerSample:
    """KL(Normal(mean, variance) || Normal(other_mean, other_variance)) of independent dimensions, their mean in bits."""
    ratio = log_variance - other_log_variance
    distance = (mean - other_mean).square() * torch.exp(-other_log_variance)
    return _mean_bits((ratio.exp() + distance - 1 - ratio) / 2)


def discretized_gaussian_nll(x0: Images, mean: Images, log_variance: Variances, levels: int = 256) -> PerSample:
    """-log of the mass that Normal(mean, variance) gives the level of x_0, mean over dimensions in bits.

    The levels are equal steps from -1 to 1, the outermost open to infinity. As published (difface.md 3.1), the normal
    distribution function is approximated by tanh, the outermost begin at |x_0| > 0.999, and the mass is at least 1e-12.
    """
    half_level, inverse = 1 / (levels - 1), torch.exp(-log_variance / 2)
    below_upper = _normal_cdf(inverse * (x0 - mean + half_level))
    below_lower = _normal_cdf(inverse * (x0 - mean - half_level))
    mass = torch.where(x0 > 0.999, 1 - below_lower, below_upper - below_lower)
    mass = torch.where(x0 < -0.999, below_upper, mass)
    return _mean_bits(-mass.clamp(min=1e-12).log())


def _normal_cdf(x: Images) -> Images:
    return (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


def _mean_bits(nats: Images) -> PerSample:
    return nats.flatten(1).mean(1) / math.log(2)
