"""DifFace's transition from a restored image into the diffusion, and how it shrinks the restorer's error (difface.md 1).

p(x_N | y) = Normal(sqrt(alpha_bar_N) f(y), (1 - alpha_bar_N) I): the restored image f(y), noised like a clean one. Its error
e = x_0 - f(y) enters multiplied by sqrt(alpha_bar_N) < 1 and covered by fresh noise (arXiv 2212.06512, section 3).
"""

import math

from jaxtyping import Float
from torch import Tensor

from src.diffusion.forward_process import Images
from src.diffusion.noise_level import NoisingProcess
from src.diffusion.schedule import NoiseSchedule


def transition(process: NoisingProcess, restored: Images, start: int | float, z: Images) -> Images:
    """x_N at N = `start` from the restored image and standard normal z, in the value range of the diffusion."""
    return process.level(start).state(restored, z)


def contraction(schedule: NoiseSchedule, start: int) -> float:
    """sqrt(alpha_bar_N), the factor on the restorer's error in x_N."""
    return math.sqrt(schedule.alphas_cumprod[start])


def kappa(schedule: NoiseSchedule, start: int) -> float:
    """alpha_bar_N / (1 - alpha_bar_N), the signal-to-noise ratio of x_N; it falls as N grows."""
    alpha_bar = float(schedule.alphas_cumprod[start])
    return alpha_bar / (1 - alpha_bar)


def transition_kl(schedule: NoiseSchedule, error: Images, start: int) -> Float[Tensor, "b"]:
    """KL divergence, nats, of p(x_N | y) from the ideal q(x_N | x_0): kappa_N / 2 |e|^2 of each image's error e."""
    return kappa(schedule, start) / 2 * error.square().flatten(1).sum(1)
