"""Severity curves: the mean of a per-image metric in bins of how badly the faces were degraded."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from src.leaderboard.columns import baselines
from src.leaderboard.ranking import placed
from src.leaderboard.row import Row, per_image_table
from src.leaderboard.setting import setting_text
from src.metrics.statistics import Interval, bootstrap_mean
from src.tracking.records import SEVERITY_COLUMN

SEVERITY_ROLES = ("perceptual", "identity", "psnr")
"""Roles that are drawn; a distance between sets of faces has no value for a face."""


@dataclass(frozen=True)
class SeverityBin:
    """The faces whose severity is in [low, high); the last bin of a scale includes `high`."""

    low: float
    high: float
    interval: Interval


@dataclass(frozen=True)
class SeverityCurve:
    """One metric of one row over severity."""

    arm: str
    fidelity: float | None
    setting: str
    """The row's setting as shown, an en dash without one."""
    baseline: bool
    metric: str
    scale: str
    """Name of the severity, with its unit."""
    edges: tuple[float, ...]
    """Of all bins of the scale, rising."""
    bins: tuple[SeverityBin, ...]
    """Rising; bins without a measured face are left out."""
    outside: int
    """Measured faces that lie in no bin, or whose severity is not known."""


def severity_curves(rows: Sequence[Row], metrics: Sequence[str], resamples: int, seed: int) -> list[SeverityCurve]:
    """A curve for every metric and each row that has a standing, by standing, or is a baseline.

    A value is a face's mean over the row's seeds. Rows whose records keep no severity, or not all the same, have no
    curve.
    """
    shown = [*placed(rows), *baselines(rows)]
    tables = [per_image_table(row.records) for row in shown]
    found = [
        _curve(row, table, metric, resamples, seed)
        for metric in metrics
        for row, table in zip(shown, tables, strict=True)
    ]
    return [curve for curve in found if curve is not None and curve.bins]


def by_scale(curves: Sequence[SeverityCurve]) -> list[list[SeverityCurve]]:
    """Curves that can be set side by side: of one metric over the same bins of the same severity."""
    groups: dict[tuple[str, str, tuple[float, ...]], list[SeverityCurve]] = {}
    for curve in curves:
        groups.setdefault((curve.metric, curve.scale, curve.edges), []).append(curve)
    return list(groups.values())


def outside_note(curves: Sequence[SeverityCurve]) -> str | None:
    """How many faces the bins of `by_scale` curves leave out; None if none."""
    most = max(curve.outside for curve in curves)
    if most == 0:
        return None
    return f"{most} {'face' if most == 1 else 'faces'} outside the bins."


def members(severity: Float[np.ndarray, " n"], edges: Sequence[float]) -> list[Bool[np.ndarray, " n"]]:
    """Which faces lie in each bin between neighbouring edges; the last bin includes its upper edge."""
    bins = list(pairwise(edges))
    last = len(bins) - 1
    return [
        (severity >= low) & ((severity <= high) if index == last else (severity < high))
        for index, (low, high) in enumerate(bins)
    ]


def _curve(row: Row, table: pd.DataFrame, metric: str, resamples: int, seed: int) -> SeverityCurve | None:
    scale = row.records[0].record.severity
    same = all(entry.record.severity == scale for entry in row.records)
    if not same or not scale.get("edges") or metric not in table or SEVERITY_COLUMN not in table:
        return None
    edges = [float(edge) for edge in scale["edges"]]
    values = table[metric].to_numpy(dtype=np.float64)
    inside = members(table[SEVERITY_COLUMN].to_numpy(dtype=np.float64), edges)
    outside = ~np.isnan(values) & ~np.any(inside, axis=0)
    found = [
        SeverityBin(low, high, bootstrap_mean(values[chosen], resamples, seed))
        for (low, high), chosen in zip(pairwise(edges), inside, strict=True)
    ]
    return SeverityCurve(
        arm=row.arm,
        fidelity=row.fidelity,
        setting=setting_text(row),
        baseline=row.baseline,
        metric=metric,
        scale=str(scale.get("name", "severity")),
        edges=tuple(edges),
        bins=tuple(entry for entry in found if entry.interval.n > 0),
        outside=int(outside.sum()),
    )
