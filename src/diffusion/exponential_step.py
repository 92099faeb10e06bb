"""The step that the fast solvers share: the probability-flow ODE solved for a constant estimate of x_0.

With lambda = log(alpha / sigma) as time, x_t = sigma_t / sigma_s x_s + sigma_t times the integral of e^lambda x_0(lambda)
from lambda_s to lambda_t (DPM-Solver++, arXiv 2211.01095, proposition 4.1). For a constant x_0 this is DDIM with eta 0; the
solvers differ in the x_0 that they put in. They are written here because ready-made schedulers divide the whole process into
steps, where a restoration begins inside it.
"""

import math
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from src.diffusion.forward_process import Images
from src.diffusion.noise_level import NoiseLevel


class Node(NamedTuple):
    """An evaluation of the network that a later step builds on."""

    level: NoiseLevel
    x0: Float[Tensor, "b c h w"]


def exponential_step(x: Images, here: NoiseLevel, there: NoiseLevel, x0: Images) -> Images:
    """The state at `there` from `x` at `here` if the estimate of x_0 were `x0` all the way."""
    h = there.log_snr - here.log_snr
    return there.sigma / here.sigma * x - there.alpha * math.expm1(-h) * x0


def extrapolated(node: Node, previous: Node | None, there: NoiseLevel) -> Images:
    """The estimate at half the step to `there`, on the line in lambda through the last two; with one, that."""
    if previous is None:
        return node.x0
    h, h_previous = there.log_snr - node.level.log_snr, node.level.log_snr - previous.level.log_snr
    return node.x0 + h / (2 * h_previous) * (node.x0 - previous.x0)
