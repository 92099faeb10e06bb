"""Heun's method on the probability-flow ODE, of order 2 (Karras et al. 2022, arXiv 2206.00364, algorithm 1).

With y = x / alpha and the noise-to-signal ratio sigma / alpha as time, the ODE of every process (Song et al. 2021,
arXiv 2011.13456, equation 13) is dy = epsilon d(sigma / alpha), whose Euler step is DDIM's with eta 0 (arXiv 2010.02502,
equation 14).
"""

from dataclasses import dataclass

import torch

from src.diffusion.chain import Chain
from src.diffusion.forward_process import Images
from src.diffusion.noise_level import NoiseLevel, NoisingProcess
from src.diffusion.sampler import Correction, Denoiser, Estimator, NoiseSource, StepHook


@dataclass(frozen=True)
class Heun:
    """Each step is made with the mean of the slopes at its beginning and at the end of an Euler step. Deterministic."""

    process: NoisingProcess
    clip: float | None = None
    """Bound of |x_0|; None leaves it."""

    def evaluations(self, chain: Chain) -> int:
        """See `Sampler`: two a step."""
        return 2 * len(chain) - 1

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
        """See `Sampler`. Draws no noise; epsilon is the one between x_t and the clipped and corrected x_0."""
        estimate = Estimator(self.process, denoiser, chain, self.clip, correct, on_step)
        x = x_start
        for number in range(1, len(chain)):
            here = estimate(number, x)
            there = self.process.level(chain.timesteps[number])
            slope = here.level.epsilon(x, here.x0)
            reached = flow_step(x, here.level, there, slope)
            slope_there = there.epsilon(reached, estimate.unseen(number + 1, reached).x0)
            x = flow_step(x, here.level, there, (slope + slope_there) / 2)
        return estimate(len(chain), x).x0


def flow_step(x: Images, here: NoiseLevel, there: NoiseLevel, epsilon: Images) -> Images:
    """The state at `there` from `x` at `here` if epsilon were the same all the way."""
    change = there.sigma / there.alpha - here.sigma / here.alpha
    return there.alpha * (x / here.alpha + change * epsilon)
