"""The one interface that evaluation and restoration know."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Restorer(Protocol):
    """A method with its knobs set. It computes on the device of its network and keeps no graph."""

    @property
    def name(self) -> str:
        """Name of the method."""

    @property
    def image_size(self) -> int | None:
        """Side of the images it takes, pixels; None takes any."""

    @property
    def parameters(self) -> int:
        """Number of parameters that restoring uses."""

    @property
    def network_evaluations(self) -> int:
        """Passes through a network for one image."""

    @property
    def knobs(self) -> dict[str, float | int | bool]:
        """The settings of the method, as shown in records."""

    def restore(self, lq: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """Restored faces; RGB in [-1, 1] in and out."""
