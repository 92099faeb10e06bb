"""Noise levels of a noising process q(x_t | x_0) = Normal(alpha_t x_0, sigma_t^2 I), discrete or continuous in t.

All that the samplers need to know of a process: the same solvers walk variance-preserving, variance-exploding and discrete
processes (Kingma et al., "Variational Diffusion Models", arXiv 2107.00630, section 3.1).
"""

from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float, Num
from torch import Tensor

State = Float[Tensor, "*state"]


class NoiseLevel(NamedTuple):
    """x_t = alpha x_0 + sigma z at one t, and what follows from it."""

    alpha: float
    sigma: float
    log_snr: float
    """lambda = log(alpha / sigma), half the log signal-to-noise ratio."""

    def state(self, x0: State, z: State) -> State:
        """x_t, a draw of q(x_t | x_0) for standard normal z."""
        return self.alpha * x0 + self.sigma * z

    def x0(self, x_t: State, epsilon: State) -> State:
        """(x_t - sigma epsilon) / alpha = (x_t + sigma^2 score) / alpha, Tweedie's estimate of x_0."""
        return 1 / self.alpha * x_t - self.sigma / self.alpha * epsilon

    def epsilon(self, x_t: State, x0: State) -> State:
        """The noise that makes x_t of x_0."""
        return (x_t - self.alpha * x0) / self.sigma

    def score(self, x_t: State, x0: State) -> State:
        """(alpha x_0 - x_t) / sigma^2, the gradient of log p(x_t) whose Tweedie estimate is x_0; -epsilon / sigma."""
        return (self.alpha * x0 - x_t) / self.sigma**2


@runtime_checkable
class NoisingProcess(Protocol):
    """What a sampler walks back."""

    def level(self, timestep: int | float) -> NoiseLevel:
        """Noise at a time of a continuous process, or at a whole timestep of a discrete one."""
        ...


@runtime_checkable
class LatentProcess(NoisingProcess, Protocol):
    """What a conditional score model is trained and sampled on (clr_face.md 4)."""

    def marginal(self, t: Num[Tensor, "b"]) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
        """alpha and sigma of each t, at least float32."""
        ...

    def network_time(self, t: Num[Tensor, "b"]) -> Num[Tensor, "b"]:
        """What the network is told of t, on the scale of its embedding, about 0 to 999."""
        ...

    def times(self, u: Float[Tensor, "b"]) -> Num[Tensor, "b"]:
        """Times of a training batch, uniform for u uniform in [0, 1): of u's type, or whole numbers of a discrete process."""
        ...

    def at(self, part: int | float) -> int | float:
        """The time up to which the part `part` in (0, 1] of the process has run; 1 is its end."""
        ...
