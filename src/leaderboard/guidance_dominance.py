"""Does the learned latent mask dominate guidance everywhere? (clr_face.md 9, B7: "the learned mask must dominate m = 1")

Answered twice. At equal scale: more identity at no larger distance, paired face by face. And against the curve of the mask
of ones as a whole, from no guidance over all its scales, since a mask of ones at a smaller scale may do as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from src.leaderboard.outside_curve import Margin, Position, margin_of, margins, places
from src.metrics.statistics import COVERAGE, Interval, paired_bootstrap

Outcome = Literal["dominates", "is dominated", "trades", "is not told apart"]
"""`dominates`: surely more identity at no larger distance; `is dominated`: surely less at no smaller one; `trades`: surely
more or less identity, and the distance on the other side."""
OUTCOMES: tuple[Outcome, ...] = ("dominates", "trades", "is not told apart", "is dominated")


@dataclass(frozen=True)
class Measured:
    """Settings as arrays, one column a setting."""

    faces: Float[np.ndarray, "n k"] | None
    """Identity of every face; None without per-image values."""
    means: Float[np.ndarray, "r k"] | None
    """Mean identities: as measured, then of every resample of the faces; None with too few."""
    distances: Float[np.ndarray, " k"]


@dataclass(frozen=True)
class Duel:
    """A learned mask against the mask of ones at the same scale."""

    scale: float
    identity: Interval | None
    """Paired difference in identity, learned minus ones; None without per-image values."""
    distance: float
    """Difference of the distances, which has no interval."""

    @property
    def outcome(self) -> Outcome:
        """What the two differences say together."""
        if self.identity is None or not self.identity.excludes_zero():
            return "is not told apart"
        better = self.identity.mean > 0
        if self.distance == 0 or (self.distance < 0) == better:
            return "dominates" if better else "is dominated"
        return "trades"


@dataclass(frozen=True)
class HeldScale:
    """A scale of a learned mask, held against the curve of the mask of ones."""

    scale: float
    position: Position
    more_faithful: Margin
    """Identity minus the most that the curve keeps at no larger distance; where it never comes as near, minus what its
    nearest setting keeps."""
    share: float
    """Of the resamples of the faces, those in which the position is the same."""

    @property
    def holds(self) -> bool:
        """Whether resampling the faces leaves the position as it is, at the level of a two-sided 95 % interval."""
        return self.share >= (1 + COVERAGE) / 2


def duel(measured: Measured, scale: float, learned: int, ones: int, resamples: int, seed: int) -> Duel:
    """The settings in the columns `learned` and `ones`, compared face by face."""
    faces = measured.faces
    identity = None if faces is None else paired_bootstrap(faces[:, learned], faces[:, ones], resamples, seed)
    return Duel(scale, identity, float(measured.distances[learned] - measured.distances[ones]))


def held_scale(measured: Measured, scale: float, learned: int, curve: Sequence[int]) -> HeldScale | None:
    """The setting in the column `learned` against the line through the columns `curve`; None with too few faces."""
    if measured.means is None:
        return None
    columns = list(curve)
    reached = (measured.means[:, columns], measured.distances[columns])
    own = (measured.means[:, learned], float(measured.distances[learned]))
    position, *others = places(*reached, *own)
    _, more_faithful = margins(*reached, *own)
    return HeldScale(scale, position, margin_of(more_faithful), others.count(position) / len(others))
