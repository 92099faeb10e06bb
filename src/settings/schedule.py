"""Which input and fidelity an iteration of stage III takes (codeformer.md 2.3)."""

from collections.abc import Sequence

from src.settings.stages import FidelityPhase


def phase_of(phases: Sequence[FidelityPhase], iteration: int) -> FidelityPhase:
    """The phase that holds `iteration` (counted from 1); the last one also covers what comes after it."""
    return next((phase for phase in phases if iteration <= phase.until), phases[-1])


def is_image_iteration(phases: Sequence[FidelityPhase], iteration: int) -> bool:
    """True where the small degradation and the image losses are used, False where only codes are predicted."""
    every = phase_of(phases, iteration).image_every
    return every > 0 and iteration % every == 0
