"""DDIM: non-Markovian steps with a chosen share of fresh noise (arXiv 2010.02502, equations 12 and 16)."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch

from src.diffusion.chain import Chain
from src.diffusion.forward_process import Images
from src.diffusion.model_output import predicted_epsilon
from src.diffusion.sampler import Correction, Denoiser, Estimator, NoiseSource, StepHook
from src.diffusion.schedule import NoiseSchedule


@dataclass(frozen=True)
class Ddim:
    """x_s = sqrt(alpha_bar_s) x_0 + sqrt(1 - alpha_bar_s - sigma^2) epsilon + sigma z, from t to the next timestep s.

    With the defaults, the published sampler of DifFace (difface.md 1.3).
    """

    schedule: NoiseSchedule
    eta: int | float = 0.5
    """Share of fresh noise in [0, 1]: 0 is deterministic, 1 has the variance of ancestral sampling."""
    clip: float | None = None
    """Bound of |x_0|; None leaves it."""
    raw_epsilon: bool = True
    """Whether epsilon stays as predicted where x_0 was clipped or corrected, as in DifFace's software. Otherwise epsilon is
    the noise between that x_0 and x_t, so that the two explain x_t together, as in the usual implementation of DDIM."""
    sigma_scaling: Literal["quadratic", "linear"] = "quadratic"
    """Growth of sigma^2 with eta: eta^2 in DDIM and in DifFace's software, eta in the text of its paper."""

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
        """See `Sampler`. Noise is drawn for the steps in which it counts."""
        estimate = Estimator(self.schedule, denoiser, chain, self.clip, correct, on_step)
        x = x_start
        for number, (timestep, following) in enumerate(pairwise(chain.timesteps), start=1):
            t, epsilon, x0, _ = estimate(number, x)
            if not self.raw_epsilon:
                epsilon = predicted_epsilon(self.schedule, x, x0, t)
            sigma = self.sigma(timestep, following)
            alpha_bar = float(self.schedule.alphas_cumprod[following])
            x = math.sqrt(alpha_bar) * x0 + math.sqrt(max(1 - alpha_bar - sigma**2, 0.0)) * epsilon
            x = x + sigma * noise.draw(number) if sigma > 0 else x
        return estimate(len(chain), x).x0

    def sigma(self, timestep: int, following: int) -> float:
        """Standard deviation of the fresh noise of a step."""
        alpha_bar, alpha_bar_next = (float(self.schedule.alphas_cumprod[t]) for t in (timestep, following))
        ancestral = math.sqrt((1 - alpha_bar_next) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_next))
        return ancestral * (self.eta if self.sigma_scaling == "quadratic" else math.sqrt(self.eta))
