"""DDIM: non-Markovian steps with a chosen share of fresh noise (arXiv 2010.02502, equations 12 and 16)."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch

from src.diffusion.chain import Chain
from src.diffusion.forward_process import Images
from src.diffusion.noise_level import NoisingProcess
from src.diffusion.sampler import Correction, Denoiser, Estimator, NoiseSource, StepHook


@dataclass(frozen=True)
class Ddim:
    """x_s = alpha_s x_0 + sqrt(sigma_s^2 - fresh^2) epsilon + fresh z, from t to the next timestep s.

    `fresh` is the paper's sigma_t; alpha_s^2 and sigma_s^2 are its alpha_s and 1 - alpha_s.
    With the defaults, the published sampler of DifFace (difface.md 1.3).
    """

    process: NoisingProcess
    eta: int | float = 0.5
    """Share of fresh noise in [0, 1]: 0 is deterministic, 1 has the variance of ancestral sampling."""
    clip: float | None = None
    """Bound of |x_0|; None leaves it."""
    raw_epsilon: bool = True
    """Whether epsilon stays as predicted where x_0 was clipped or corrected, as in DifFace's software. Otherwise epsilon is
    the noise between that x_0 and x_t, so that the two explain x_t together, as in the usual implementation of DDIM."""
    sigma_scaling: Literal["quadratic", "linear"] = "quadratic"
    """Growth of fresh^2 with eta: eta^2 in DDIM and in DifFace's software, eta in the text of its paper."""

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
        """See `Sampler`. Noise is drawn for the steps in which it counts."""
        estimate = Estimator(self.process, denoiser, chain, self.clip, correct, on_step)
        x = x_start
        for number, (timestep, following) in enumerate(pairwise(chain.timesteps), start=1):
            here, epsilon, x0, _ = estimate(number, x)
            if not self.raw_epsilon:
                epsilon = here.epsilon(x, x0)
            there, fresh = self.process.level(following), self.fresh(timestep, following)
            x = there.alpha * x0 + math.sqrt(max(there.sigma**2 - fresh**2, 0.0)) * epsilon
            x = x + fresh * noise.draw(number) if fresh > 0 else x
        return estimate(len(chain), x).x0

    def fresh(self, timestep: int | float, following: int | float) -> float:
        """Standard deviation of the fresh noise of a step; with eta 1 that of q(x_s | x_t, x_0)."""
        here, there = self.process.level(timestep), self.process.level(following)
        ancestral = there.sigma * math.sqrt(-math.expm1(2 * (here.log_snr - there.log_snr)))
        return ancestral * (self.eta if self.sigma_scaling == "quadratic" else math.sqrt(self.eta))
