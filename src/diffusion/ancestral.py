"""Ancestral sampling: p(x_{t-1} | x_t) step by step (DDPM, arXiv 2006.11239, algorithm 2)."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from src.diffusion.chain import Chain
from src.diffusion.forward_process import Images, posterior_mean
from src.diffusion.model_output import learned_log_variance
from src.diffusion.respacing import observed_at
from src.diffusion.sampler import Correction, Denoiser, Estimator, NoiseSource, StepHook
from src.diffusion.schedule import NoiseSchedule, gather


@dataclass(frozen=True)
class Ancestral:
    """x_{t-1} = posterior mean of the estimated x_0 + noise of the learned variance, or of a fixed one."""

    schedule: NoiseSchedule
    clip: float | None = None
    """Bound of |x_0|; None leaves it."""
    fixed_variance: Literal["small", "large"] = "small"
    """Of a network that learned none: the posterior's variance, right for data in one point, or beta_t, right for standard
    normal data."""

    def evaluations(self, chain: Chain) -> int:
        """See `Sampler`."""
        return len(chain)

    @torch.no_grad()
    def sample(
        self,
        denoiser: Denoiser,
        x_start: Images,
        chain: Chain,
        noise: NoiseSource,
        correct: Correction | None = None,
        on_step: StepHook | None = None,
    ) -> Images:
        """See `Sampler`. The betas are those of the process observed at the chain's timesteps alone (difface.md 1.2).

        Raises ValueError for a chain of a continuous process.
        """
        process = observed_at(self.schedule, chain.whole_timesteps[::-1])
        estimate = Estimator(self.schedule, denoiser, chain, self.clip, correct, on_step)
        x = x_start
        for number in range(1, len(chain)):
            _, _, x0, interpolation = estimate(number, x)
            index = torch.full((len(x),), len(chain) - number, device=x.device)
            log_variance = self.log_variance(process, interpolation, index, x)
            x = posterior_mean(process, x0, x, index) + torch.exp(log_variance / 2) * noise.draw(number)
        return estimate(len(chain), x).x0

    def log_variance(
        self, process: NoiseSchedule, interpolation: Images | None, index: Tensor, x_t: Images
    ) -> Float[Tensor, "b ..."]:
        """Of p(x_{t-1} | x_t), of the shape of `x_t` where learned, else [b, 1, 1, 1]."""
        if interpolation is not None:
            return learned_log_variance(process, interpolation, index)
        small, large = process.posterior_log_variance_clipped, process.log_betas_clipped
        return gather(small if self.fixed_variance == "small" else large, index, x_t)
