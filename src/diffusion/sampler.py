"""What all samplers share: their interface, and one evaluation of the network on a chain."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from src.diffusion.chain import Chain
from src.diffusion.forward_process import Images
from src.diffusion.model_output import clipped, split_output
from src.diffusion.noise_level import NoiseLevel, NoisingProcess

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""(x_t, t) -> epsilon, or epsilon and v in twice the channels; t holds the time of each sample in the trained process."""
Correction = Callable[[Tensor], Tensor]
"""An estimate of x_0 as it should be used instead, e.g. with known pixels put in."""
StepHook = Callable[[int, int | float, Tensor, Tensor], None]
"""(number of the step from 1 on, timestep, x_t, estimate of x_0), once a timestep."""


@runtime_checkable
class NoiseSource(Protocol):
    """The standard normal numbers of one batch; number 0 belongs to its start, and no sampler draws a number twice.

    Number j belongs to the j-th step, of m for samplers that draw m times a step numbers m (j - 1) + 1 to m j.
    """

    def draw(self, number: int) -> Tensor:
        """Noise of the shape, type and device of the state."""
        ...


@dataclass(frozen=True)
class GeneratorNoise:
    """Noise from a generator, in the order in which it is drawn."""

    shape: tuple[int, ...]
    generator: torch.Generator

    def draw(self, number: int) -> Tensor:
        """Float32 on the generator's device."""
        return torch.randn(self.shape, generator=self.generator, device=self.generator.device)


@runtime_checkable
class Sampler(Protocol):
    """A way down a chain."""

    def evaluations(self, chain: Chain) -> int:
        """Network evaluations down the chain."""
        ...

    def sample(
        self,
        denoiser: Denoiser,
        x_start: Images,
        chain: Chain,
        noise: NoiseSource,
        correct: Correction | None = None,
        on_step: StepHook | None = None,
    ) -> Images:
        """x_0 from the state at the noise level of `chain.start`; the last evaluation of `denoiser` gives the result.

        Without gradients; a `correct` that needs them enables them itself.
        """
        ...


class Estimate(NamedTuple):
    """What the network says about a state."""

    level: NoiseLevel
    epsilon: Images
    """As predicted, whatever happened to `x0`."""
    x0: Images
    """Clipped and corrected."""
    interpolation: Images | None
    """See `ModelOutput`."""


@dataclass(frozen=True)
class Estimator:
    """Evaluates a network on the states of a chain."""

    process: NoisingProcess
    """What the network was trained on, of whose timesteps the chain consists."""
    denoiser: Denoiser
    chain: Chain
    clip: float | None
    """Bound of |x_0|, before and after the correction."""
    correct: Correction | None = None
    on_step: StepHook | None = None

    def __call__(self, number: int, x_t: Images) -> Estimate:
        """At the timestep of step `number`, from 1 on."""
        estimate = self.unseen(number, x_t)
        if self.on_step is not None:
            self.on_step(number, self.chain.timesteps[number - 1], x_t, estimate.x0)
        return estimate

    def unseen(self, number: int, x_t: Images) -> Estimate:
        """The same without `on_step`, for further evaluations at a timestep."""
        timestep = self.chain.timesteps[number - 1]
        level = self.process.level(timestep)
        t_type = torch.int64 if isinstance(timestep, int) else x_t.dtype
        t = torch.full((len(x_t),), timestep, dtype=t_type, device=x_t.device)
        epsilon, interpolation = split_output(self.denoiser(x_t, t), x_t)
        x0 = clipped(level.x0(x_t, epsilon), self.clip)
        if self.correct is not None:
            x0 = clipped(self.correct(x0), self.clip)
        return Estimate(level, epsilon, x0, interpolation)
