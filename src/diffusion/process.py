"""From the settings of a process to its coefficients."""

from src.diffusion.schedule import NoiseSchedule
from src.settings.difface import DiffusionProcessSettings

PUBLISHED = DiffusionProcessSettings(steps=1000, schedule="linear", first_beta=1e-4, last_beta=0.02)
"""The process of DifFace's released priors (difface.md 1.1)."""


def noise_schedule(settings: DiffusionProcessSettings) -> NoiseSchedule:
    """The process that a prior inverts. Raises UserError if a linear beta leaves (0, 1)."""
    if settings.schedule == "cosine":
        return NoiseSchedule.cosine(settings.steps)
    return NoiseSchedule.linear(settings.steps, settings.first_beta, settings.last_beta)
