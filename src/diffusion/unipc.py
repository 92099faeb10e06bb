"""UniPC: a predictor-corrector solver of the probability-flow ODE (arXiv 2302.04867), of order 2 with B(h) = e^h - 1."""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch

from src.diffusion.chain import Chain
from src.diffusion.exponential_step import Node, exponential_step, extrapolated
from src.diffusion.forward_process import Images
from src.diffusion.noise_level import NoisingProcess
from src.diffusion.sampler import Correction, Denoiser, Estimator, NoiseSource, StepHook


@dataclass(frozen=True)
class UniPc:
    """DPM-Solver++(2M)'s step as predictor; the evaluation at its end then corrects the step before the next one begins.

    Costs no further evaluations. Deterministic; made for an "exact" chain, best of equal steps in lambda (`log_snr_chain`).
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
        x, predicted = x_start, x_start
        nodes: list[Node] = []
        for number, (timestep, following) in enumerate(pairwise(chain.timesteps), start=1):
            node = Node(self.process.level(timestep), estimate(number, predicted).x0)
            if nodes:
                x = exponential_step(x, nodes[-1].level, node.level, corrected(nodes, node))
            there, previous = self.process.level(following), nodes[-1] if nodes else None
            predicted = exponential_step(x, node.level, there, extrapolated(node, previous, there))
            nodes = [*nodes[-1:], node]
        return estimate(len(chain), predicted).x0


def corrected(nodes: list[Node], there: Node) -> Images:
    """The x_0 of the step from the last of `nodes` to `there`, on the parabola in lambda through them and the one before.

    UniC-2: the weights make the step exact for such a parabola (theorem 3.1); with one node behind, UniC-1.
    """
    here = nodes[-1]
    change = there.x0 - here.x0
    if len(nodes) == 1:
        return here.x0 + change / 2
    h = there.level.log_snr - here.level.log_snr
    r = (nodes[0].level.log_snr - here.level.log_snr) / h
    first, second = _moments(h)
    weight_behind = (first - second) / (1 - r)
    return here.x0 + weight_behind / r * (nodes[0].x0 - here.x0) + (first - weight_behind) * change


def _moments(h: float) -> tuple[float, float]:
    """Means of u and u^2 over the step, u from 0 to 1, under the ODE's weight e^(h u)."""
    first = 1 / -math.expm1(-h) - 1 / h
    return first, (1 / -math.expm1(-h)) - 2 / h * first
