"""How a sampler is guided towards an identity: the settings of one run, checked (clr_face.md 7)."""

import math
from dataclasses import dataclass
from typing import Any

from src.diffusion.noise_level import NoisingProcess
from src.diffusion.schedule import NoiseSchedule
from src.settings.clr_face import GRADIENTS, MASKS, TARGETS, GuidanceSettings
from src.settings.errors import UserError

Number = int | float

PAIR = "must be two ascending numbers from 0 to 1; [0, 1] guides always"
ROUNDING = 1e-6
"""By which a time may lie outside of the window: samplers hand times over in float32."""


@dataclass(frozen=True)
class Guidance:
    """One way to guide; the fields are those of `GuidanceSettings`, one value each.

    Raises:
        UserError: a name is unknown, or a number out of its range.
    """

    scale: Number
    mask: str
    target: str
    gradient: str
    constraint: Number
    window: tuple[Number, Number]
    every: int
    limit: Number

    def __post_init__(self) -> None:
        _one_of("mask", self.mask, MASKS)
        _one_of("target", self.target, TARGETS)
        _one_of("gradient", self.gradient, GRADIENTS)
        for name in ("scale", "constraint"):
            if not 0 <= getattr(self, name) < math.inf:
                raise _refused(name, getattr(self, name), "must be a number from 0 on; 0 leaves it out")
        if not 0 < self.limit < math.inf:
            raise _refused("limit", self.limit, "must be a number above 0; guidance.scale=0 switches guidance off")
        if self.every < 1:
            raise _refused("every", self.every, "must be 1 or more; 1 guides every evaluation")
        if not 0 <= self.window[0] <= self.window[1] <= 1:
            raise _refused("window", list(self.window), PAIR)

    def acts(self, part: Number, evaluation: int) -> bool:
        """Whether the evaluation of that number, from 0 on, at that part of the process is guided."""
        first, last = self.window
        is_inside = first - ROUNDING <= part <= last + ROUNDING
        return self.scale > 0 and is_inside and evaluation % self.every == 0


def guidance_of(settings: GuidanceSettings) -> Guidance:
    """The settings of a single way to guide; raises what `Guidance` raises, also for a list where one value is needed."""
    if isinstance(settings.scale, bool) or not isinstance(settings.scale, int | float):
        raise _refused("scale", settings.scale, "is no number")
    if len(settings.window) != 2:
        raise _refused("window", settings.window, PAIR)
    return Guidance(
        scale=settings.scale,
        mask=_one_of("mask", settings.mask, MASKS),
        target=_one_of("target", settings.target, TARGETS),
        gradient=_one_of("gradient", settings.gradient, GRADIENTS),
        constraint=settings.constraint,
        window=(settings.window[0], settings.window[1]),
        every=settings.every,
        limit=settings.limit,
    )


def process_part(process: NoisingProcess, timestep: Number) -> float:
    """Where in the noising process a timestep lies, in (0, 1]: the time of vp and ve, (t + 1) / T of a discrete process."""
    return (timestep + 1) / len(process) if isinstance(process, NoiseSchedule) else float(timestep)


def _one_of(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise _refused(name, value, f"is not one of {', '.join(allowed)}")
    return str(value)


def _refused(name: str, value: Any, expected: str) -> UserError:
    return UserError(f"guidance.{name}: {value!r} {expected}")
