"""Inpainting: every estimate of x_0 is drawn towards the known pixels (difface.md 1.5)."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from src.diffusion.forward_process import Images


@dataclass(frozen=True, eq=False)
class KnownPixels:
    """A `Correction`: `updates` gradient steps of size `gamma` on the sum of (1 - missing) (x_0 - known)^2.

    The published values put the known pixels in as they are. Epsilon stays as predicted, so sample with `raw_epsilon`.
    """

    known: Images
    """In the value range of the diffusion."""
    missing: Float[Tensor, "b 1 h w"]
    """1 where a pixel is to be made, 0 where it is known."""
    gamma: float = 0.5
    updates: int = 1

    def __call__(self, x0: Images) -> Images:
        """The estimate to use instead."""
        for _ in range(self.updates):
            x0 = x0 - self.gamma * 2 * (1 - self.missing) * (x0 - self.known)
        return x0
