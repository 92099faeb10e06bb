"""One line of a leaderboard: an arm at one fidelity, over all its seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from src.metrics.statistics import Interval, bootstrap_mean
from src.tracking.records import FACE_COLUMN, Cost, MetricValue, StoredRecord


@dataclass(frozen=True)
class Cell:
    """One metric of a row."""

    definition: dict
    value: float | None
    """Mean over the seeds."""
    interval: tuple[float, float] | None
    """95 % over images, of the mean over the seeds; it says nothing about other seeds."""
    n: int
    failures: int
    by_seed: dict[int, float]


@dataclass(frozen=True)
class Standing:
    """Place of an arm, given to its best row."""

    position: int
    """In the order of the primary metric, from 1."""
    rank: int | None
    """Null where no difference has an interval, so that no rank can be claimed."""
    tied: bool
    """Shares its rank: the paired interval to the neighbour holds zero."""
    to_best: Interval | None
    """Paired mean of this arm minus the first one."""


@dataclass(frozen=True)
class Row:
    """One arm at one fidelity."""

    arm: str
    fidelity: float | None
    status: str
    baseline: bool
    incomparable: str | None
    """Why it cannot stand beside the others."""
    records: tuple[StoredRecord, ...]
    """One a seed."""
    cells: dict[str, Cell]
    """By metric id."""
    standing: Standing | None = None

    @property
    def reason(self) -> str | None:
        """Why it failed, or cannot be compared."""
        return self.incomparable or next((entry.record.reason for entry in self.records if entry.record.reason), None)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds in rising order."""
        return tuple(sorted({entry.record.seed for entry in self.records}))

    @property
    def cost(self) -> Cost | None:
        """Cost of the newest record."""
        return max(self.records, key=lambda entry: entry.record.created).record.cost

    @property
    def n(self) -> int:
        """Faces of the benchmark."""
        return int(self.records[0].record.benchmark.get("n", 0))

    @property
    def has_knob(self) -> bool:
        """Whether the fidelity weight moves anything: without fused encoder features every w gives the same picture."""
        settings = self.records[0].record.config.get("cft")
        fused = settings.get("fused_sizes") if isinstance(settings, dict) else None
        return self.fidelity is not None and fused != []

    @property
    def ranked(self) -> bool:
        """Takes part in the ranking."""
        return self.status == "finished" and not self.baseline and self.incomparable is None


def per_image_values(records: Sequence[StoredRecord], metric: str) -> pd.Series:
    """Values by face name, averaged over seeds; NaN where a seed failed on a face; empty if the metric has none."""
    series = []
    for stored in records:
        table = stored.per_image()
        if table is None or metric not in table:
            return pd.Series(dtype=float)
        series.append(table.set_index(FACE_COLUMN)[metric].astype(float))
    return pd.concat(series, axis=1, join="inner").mean(axis=1, skipna=False)


def cells_of(records: Sequence[StoredRecord], resamples: int, seed: int) -> dict[str, Cell]:
    """Every metric of the records of one row; `resamples` and `seed` are those of the bootstrap over several seeds."""
    names = dict.fromkeys(name for entry in records for name in entry.record.metrics)
    return {name: _cell(name, records, resamples, seed) for name in names}


def _cell(name: str, records: Sequence[StoredRecord], resamples: int, seed: int) -> Cell:
    measured = {entry.record.seed: entry.record.metrics[name] for entry in records if name in entry.record.metrics}
    by_seed = {number: metric.value for number, metric in sorted(measured.items()) if metric.value is not None}
    first = next(iter(measured.values()))
    return Cell(
        definition=first.definition,
        value=float(np.mean(list(by_seed.values()))) if by_seed else None,
        interval=first.interval if len(measured) == 1 else _interval(name, records, measured, resamples, seed),
        n=min(metric.n for metric in measured.values()),
        failures=max(metric.failures for metric in measured.values()),
        by_seed=by_seed,
    )


def _interval(
    name: str, records: Sequence[StoredRecord], measured: dict[int, MetricValue], resamples: int, seed: int
) -> tuple[float, float] | None:
    """Interval of the mean over seeds, from each face's mean over seeds."""
    if any(metric.interval is None for metric in measured.values()):
        return None
    values = per_image_values(records, name).to_numpy(dtype=np.float64)
    interval = bootstrap_mean(values, resamples, seed)
    return (interval.low, interval.high) if interval.n > 1 else None
