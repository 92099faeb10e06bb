"""The one interface that evaluation and restoration know."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from src.restorers.knobs import Knobs


@runtime_checkable
class Diagnosed(Protocol):
    """A restorer that says how it worked."""

    @property
    def diagnostics(self) -> dict[str, float]:
        """Means over the faces restored so far (`Record.diagnostics`); empty where there is nothing to say."""


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
    def knobs(self) -> Knobs:
        """The settings of the method, as shown in records."""

    def restore(self, lq: Float[Tensor, "b 3 h w"], keys: Sequence[int] = ()) -> Float[Tensor, "b 3 h w"]:
        """Restored faces; RGB in [-1, 1] in and out.

        `keys` is a number for each face, from 0 to 2**32 - 1, from which a method that draws makes its noise: a face with
        its key gives the same result in any batch. Other methods need none.
        """
