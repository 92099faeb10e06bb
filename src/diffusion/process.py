"""From the settings of a process to its noise levels."""

import math

from src.diffusion.noise_level import LatentProcess
from src.diffusion.schedule import NoiseSchedule
from src.diffusion.sde import VarianceExploding, VariancePreserving
from src.settings.clr_face import SdeSettings
from src.settings.difface import DiffusionProcessSettings
from src.settings.errors import UserError

PUBLISHED = DiffusionProcessSettings(steps=1000, schedule="linear", first_beta=1e-4, last_beta=0.02)
"""The process of DifFace's released priors (difface.md 1.1)."""


def noise_schedule(settings: DiffusionProcessSettings) -> NoiseSchedule:
    """The process that a prior inverts. Raises UserError if a linear beta leaves (0, 1)."""
    if settings.schedule == "cosine":
        return NoiseSchedule.cosine(settings.steps)
    return NoiseSchedule.linear(settings.steps, settings.first_beta, settings.last_beta)


def build_process(settings: SdeSettings, dimensions: int) -> LatentProcess:
    """The noising process of latents of so many numbers each.

    Without sigma_max, `ve` ends at sqrt(2 d), the root mean square distance of two latents of d numbers of unit variance.
    Raises UserError if a beta of `ddpm` leaves (0, 1), or sigma_min is not below sigma_max.
    """
    if settings.kind == "ddpm":
        return NoiseSchedule.sqrt_linear(settings.steps, settings.first_beta, settings.last_beta)
    if settings.kind == "vp":
        return VariancePreserving(settings.beta_min, settings.beta_max, settings.smallest_time)
    sigma_max = math.sqrt(2 * dimensions) if settings.sigma_max is None else settings.sigma_max
    if not settings.sigma_min < sigma_max:
        raise UserError(
            f"latent_score.sde.sigma_min: {settings.sigma_min:g} is not below sigma_max, {sigma_max:g}; choose a smaller one"
        )
    return VarianceExploding(settings.sigma_min, sigma_max, settings.smallest_time)
