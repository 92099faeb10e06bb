"""Euler-Maruyama on the reverse-time SDE dz = (f - g^2 score) dt + g dw_bar (Song et al. 2021, arXiv 2011.13456, eq. 6)."""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch

from src.diffusion.chain import Chain
from src.diffusion.forward_process import Images
from src.diffusion.sampler import Correction, Denoiser, Estimator, NoiseSource, StepHook
from src.diffusion.sde import Sde


@dataclass(frozen=True)
class EulerMaruyama:
    """Drift and diffusion as at the beginning of each step; of strong order 1/2, so for many short steps of equal time."""

    process: Sde
    clip: float | None = None
    """Bound of |x_0|; None leaves it."""

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
        """See `Sampler`. The score is that of the clipped and corrected x_0."""
        estimate = Estimator(self.process, denoiser, chain, self.clip, correct, on_step)
        x = x_start
        for number, (t, following) in enumerate(pairwise(chain.timesteps), start=1):
            level, _, x0, _ = estimate(number, x)
            g, dt = self.process.diffusion(t), following - t
            drift = self.process.drift_rate(t) * x - g**2 * level.score(x, x0)
            x = x + drift * dt + g * math.sqrt(-dt) * noise.draw(number)
        return estimate(len(chain), x).x0
