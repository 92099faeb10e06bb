"""One setting against a reference, face by face and role by role: a refined face against what it was refined from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from src.leaderboard.definition import direction_of, metric_for
from src.leaderboard.refinement import refinement_by
from src.leaderboard.row import Row, per_image_table
from src.metrics.statistics import Direction, Interval, paired_bootstrap

PIXEL_ERROR = "pixel_error"
"""Root mean squared error of a face, as a share of the reference's on the same face."""
COMPARED_ROLES = ("perceptual", "identity", "distribution")


@dataclass(frozen=True)
class Compared:
    """One role of one setting, beside the reference."""

    metric: str
    direction: Direction
    value: float
    """Mean over the faces that both could be measured on; of a distance between sets of faces, the distance."""
    reference: float
    """The same of the reference; 1 of the pixel error."""
    change: Interval | None
    """Paired mean of `value` minus `reference`; None of a distance."""

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The paired interval around `value`: it reaches `reference` exactly if the change is not told from zero."""
        change = self.change
        return None if change is None else (self.reference + change.low, self.reference + change.high)

    @property
    def sign(self) -> int:
        """1 for better than the reference, -1 for worse, 0 for not told apart."""
        if self.change is None or not self.change.excludes_zero():
            return 0
        return 1 if (self.change.mean < 0) == (self.direction == "lower") else -1


def alone_of(row: Row, rows: Sequence[Row]) -> Row | None:
    """The row of what a row refines, restoring alone: the same weights, else trained as the same arm; None without one, and
    of a method that refines nothing.

    Args:
        rows: of a ranking.
    """
    refinement = refinement_by(row.restorer)
    if refinement is None:
        return None
    alone = [other for other in rows if other.restorer == refinement.alone]
    own = _weights(row, refinement.network)
    same_weights = (other for other in alone if own and _weights(other, refinement.network) == own)
    same_arm = (other for other in alone if other.records[0].record.arm == row.records[0].record.arm)
    return next(same_weights, None) or next(same_arm, None)


def _weights(row: Row, network: str) -> set[str]:
    """SHA-256 of a network in all seeds."""
    found = {stored.record.weights.get(network) for stored in row.records}
    return {sha for sha in found if sha is not None}


def compared(row: Row, reference: Row, resamples: int, seed: int) -> dict[str, Compared]:
    """By role: the pixel error, and `COMPARED_ROLES`; without those that either row lacks.

    The pixel error is 10 ** ((PSNR of the reference - PSNR) / 20), the ratio of the root mean squared errors of a face,
    averaged over faces; over several seeds a face's error is their geometric mean.
    """
    pair = _pair(row, reference)
    error = _pixel_error(pair, resamples, seed)
    return ({} if error is None else {PIXEL_ERROR: error}) | _roles(COMPARED_ROLES, pair, resamples, seed)


def compared_roles(row: Row, reference: Row, roles: Sequence[str], resamples: int, seed: int) -> dict[str, Compared]:
    """Those of `roles` that both rows have."""
    return _roles(roles, _pair(row, reference), resamples, seed)


@dataclass(frozen=True)
class _Pair:
    row: Row
    reference: Row
    own: pd.DataFrame
    """Per-image values of the row."""
    others: pd.DataFrame
    """Those of the reference."""

    def metric(self, role: str) -> str | None:
        """The metric of a role, if both rows have it."""
        metric = metric_for(self.row.records[0].record, role)
        return metric if metric in self.row.cells and metric in self.reference.cells else None

    def faces(self, metric: str) -> Float[np.ndarray, "n 2"]:
        """Values of both rows, a line a face that both could be measured on."""
        if metric not in self.own or metric not in self.others:
            return np.empty((0, 2))
        columns = [self.own[metric], self.others[metric]]
        return pd.concat(columns, axis=1, join="inner").dropna().to_numpy(dtype=np.float64)


def _pair(row: Row, reference: Row) -> _Pair:
    return _Pair(row, reference, *(per_image_table(each.records) for each in (row, reference)))


def _roles(roles: Sequence[str], pair: _Pair, resamples: int, seed: int) -> dict[str, Compared]:
    found = {role: _role(role, pair, resamples, seed) for role in roles}
    return {role: entry for role, entry in found.items() if entry is not None}


def _pixel_error(pair: _Pair, resamples: int, seed: int) -> Compared | None:
    metric = pair.metric("psnr")
    faces = np.empty((0, 2)) if metric is None else pair.faces(metric)
    if metric is None or len(faces) == 0:
        return None
    ratio = 10 ** ((faces[:, 1] - faces[:, 0]) / 20)
    change = paired_bootstrap(ratio, np.ones_like(ratio), resamples, seed)
    return Compared(metric, "lower", 1 + change.mean, 1.0, change)


def _role(role: str, pair: _Pair, resamples: int, seed: int) -> Compared | None:
    metric = pair.metric(role)
    if metric is None:
        return None
    ours, theirs = pair.row.cells[metric], pair.reference.cells[metric]
    direction = direction_of(ours.definition)
    faces = pair.faces(metric)
    if len(faces) > 0:
        change = paired_bootstrap(faces[:, 0], faces[:, 1], resamples, seed)
        reference = float(faces[:, 1].mean())
        return Compared(metric, direction, reference + change.mean, reference, change)
    if ours.value is None or theirs.value is None or ours.refused or theirs.refused:
        return None
    return Compared(metric, direction, ours.value, theirs.value, None)
