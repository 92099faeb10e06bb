"""Predictor-corrector sampling: reverse diffusion and Langevin dynamics (Song et al. 2021, arXiv 2011.13456, appendix G).

Written for any process x_t = a x_s + sqrt(v) n between two of its times: with a = 1 these are the paper's algorithms for
variance-exploding processes (2 and 4), with a^2 = 1 - beta and v = beta those for variance-preserving ones (3 and 5).
"""

import math
from dataclasses import dataclass
from itertools import count

import torch

from src.diffusion.chain import Chain
from src.diffusion.forward_process import Images
from src.diffusion.noise_level import NoiseLevel, NoisingProcess
from src.diffusion.sampler import Correction, Denoiser, Estimator, NoiseSource, StepHook

CLEAN = NoiseLevel(1.0, 0.0, math.inf)


@dataclass(frozen=True)
class PredictorCorrector:
    """Each step down is followed by Langevin steps at the level that it reached."""

    process: NoisingProcess
    clip: float | None = None
    """Bound of |x_0|; None leaves it."""
    snr: float = 0.16
    """r, the length of a Langevin step: the published one of variance-exploding processes."""
    corrections: int = 1
    """Langevin steps M at each level."""

    def evaluations(self, chain: Chain) -> int:
        """See `Sampler`: 1 + M a step."""
        return (1 + self.corrections) * (len(chain) - 1) + 1

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
        """See `Sampler`. `noise` is drawn 1 + M times a step; the score is that of the clipped and corrected x_0."""
        estimate = Estimator(self.process, denoiser, chain, self.clip, correct, on_step)
        levels, draw = [*map(self.process.level, chain.timesteps), CLEAN], count(1)
        x = x_start
        for number in range(1, len(chain)):
            here, there, below = levels[number - 1 : number + 2]
            score = here.score(x, estimate(number, x).x0)
            x = reverse_diffusion(x, score, here, there, noise.draw(next(draw)))
            for _ in range(self.corrections):
                score = there.score(x, estimate.unseen(number + 1, x).x0)
                x = langevin(x, score, self.snr, there.alpha / below.alpha, noise.draw(next(draw)))
        return estimate(len(chain), x).x0


def reverse_diffusion(x: Images, score: Images, here: NoiseLevel, there: NoiseLevel, n: Images) -> Images:
    """(2 - a) x + v score + sqrt(v) n: the predictor from `here` to `there`, which is less noised (appendix E)."""
    a = here.alpha / there.alpha
    v = here.sigma**2 - (a * there.sigma) ** 2
    return (2 - a) * x + v * score + math.sqrt(v) * n


def langevin(x: Images, score: Images, snr: float, a: float, n: Images) -> Images:
    """x + e score + sqrt(2 e) n: the corrector, with e = 2 a^2 (r |n| / |score|)^2 in each sample, 0 where the score is."""
    norm_n, norm_score = (values.flatten(1).norm(dim=1).view(-1, 1, 1, 1) for values in (n, score))
    ratio = torch.where(norm_score > 0, norm_n / norm_score, 0.0)
    step = 2 * a**2 * (snr * ratio) ** 2
    return x + step * score + torch.sqrt(2 * step) * n
