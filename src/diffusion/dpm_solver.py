"""DPM-Solver++(2M): second-order multistep solver of the probability-flow ODE (arXiv 2211.01095, algorithm 2)."""

from dataclasses import dataclass
from itertools import pairwise

import torch

from src.diffusion.chain import Chain
from src.diffusion.exponential_step import Node, exponential_step, extrapolated
from src.diffusion.forward_process import Images
from src.diffusion.noise_level import NoisingProcess
from src.diffusion.sampler import Correction, Denoiser, Estimator, NoiseSource, StepHook


@dataclass(frozen=True)
class DpmSolverPlusPlus:
    """Each step takes x_0 as linear in lambda through the last two estimates; the first and the last take it as constant.

    Deterministic. Made for an "exact" chain, best of equal steps in lambda (`log_snr_chain`).
    """

    process: NoisingProcess
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
        """See `Sampler`. Draws no noise."""
        estimate = Estimator(self.process, denoiser, chain, self.clip, correct, on_step)
        x, previous = x_start, None
        for number, (timestep, following) in enumerate(pairwise(chain.timesteps), start=1):
            node = Node(self.process.level(timestep), estimate(number, x).x0)
            there = self.process.level(following)
            x = exponential_step(x, node.level, there, extrapolated(node, previous, there))
            previous = node
        return estimate(len(chain), x).x0
