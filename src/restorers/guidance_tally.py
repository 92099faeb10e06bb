"""What became of a restorer's guidance, over all faces that it restored."""

import torch
from jaxtyping import Float64
from torch import Tensor

from src.guidance.guided_denoiser import GuidanceCounts


class GuidanceTally:
    """Adds up the shares of each face's evaluations; nothing is fetched from the device before it is asked for."""

    def __init__(self, evaluations: int) -> None:
        """`evaluations` of the score network, which each face takes."""
        self._evaluations = evaluations
        self._faces = 0
        self._sums: Float64[Tensor, "3"] | None = None

    def add(self, counts: GuidanceCounts) -> None:
        """The counts of one batch."""
        guided, clipped, not_finite = (own.double() for own in (counts.guided, counts.clipped, counts.not_finite))
        of_all, of_guided = self._evaluations, guided.clamp(min=1)
        sums = torch.stack([guided / of_all, clipped / of_guided, not_finite / of_all]).sum(1)
        self._faces += len(guided)
        self._sums = sums if self._sums is None else self._sums + sums

    @property
    def means(self) -> dict[str, float]:
        """Shares in [0, 1], means over the faces; empty where nothing was added.

        `guided_share` and `not_finite_share` are parts of the evaluations, `clipped_share` is one of the guided ones.
        """
        if self._sums is None:
            return {}
        shares = (self._sums / self._faces).tolist()
        return dict(zip(("guided_share", "clipped_share", "not_finite_share"), shares, strict=True))
