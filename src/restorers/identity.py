"""The baseline that returns its input."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor

from src.restorers.knobs import Knobs


@dataclass(frozen=True)
class IdentityRestorer:
    """Returns the degraded face: what a method must beat (`Restorer`)."""

    name: str = "identity"
    image_size: int | None = None
    parameters: int = 0
    network_evaluations: int = 0
    knobs: Knobs = field(default_factory=dict)

    def restore(self, lq: Float[Tensor, "b 3 h w"], keys: Sequence[int] = ()) -> Float[Tensor, "b 3 h w"]:
        """The input, clamped to [-1, 1]."""
        return lq.clamp(-1, 1)
