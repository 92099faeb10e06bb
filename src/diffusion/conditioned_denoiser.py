"""A conditional score network as the samplers and the objective take it (clr_face.md 4)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Num
from torch import Tensor

from src.diffusion.forward_process import Images
from src.diffusion.noise_level import LatentProcess

ConditionedNetwork = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(z "b c h w", time "b", condition "b k h w") -> epsilon "b c h w"."""


@dataclass(frozen=True, eq=False)
class ConditionedDenoiser:
    """(z_t, t) -> epsilon of one batch of conditions (`Denoiser`).

    The network sees z_t / sqrt(alpha^2 + sigma^2), which has about unit variance at every t of every process.
    """

    process: LatentProcess
    network: ConditionedNetwork
    condition: Float[Tensor, "b k h w"]
    weight: int | float = 1.0
    """Of the condition in classifier-free guidance (arXiv 2207.12598), for networks trained to take 0 as no condition."""

    def __call__(self, z_t: Images, t: Num[Tensor, "b"]) -> Images:
        """epsilon, or epsilon_0 + weight (epsilon - epsilon_0) with epsilon_0 that of no condition."""
        alpha, sigma = self.process.marginal(t)
        scaled = z_t * torch.rsqrt(alpha**2 + sigma**2).view(-1, 1, 1, 1)
        time = self.process.network_time(t)
        epsilon = self.network(scaled, time, self.condition)
        if self.weight == 1:
            return epsilon
        unconditional = self.network(scaled, time, torch.zeros_like(self.condition))
        return unconditional + self.weight * (epsilon - unconditional)
