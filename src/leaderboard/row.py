"""One line of a leaderboard: an arm at one setting, over all its seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from src.leaderboard.definition import direction_of
from src.leaderboard.knobs import Seed, Setting, in_order, seeds_of
from src.metrics.statistics import Interval, bootstrap_mean, worst_decile
from src.settings.errors import UserError
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
    by_seed: dict[Seed, float]
    worst_decile: Interval | None = None
    """Mean over the worst tenth of the faces; None without per-image values."""
    refused: str | None = None
    """Why the value must not be set beside those of the other rows, as shown in its place: `n=57, not 64`."""


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
    """One arm at one setting: a fidelity weight and, for some methods, other knobs."""

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
    setting: Setting = ()
    """Every knob but the fidelity weight and the seed."""
    varied: tuple[str, ...] = ()
    """Names of those that differ between the rows of the arm, and are therefore shown."""
    standing: Standing | None = None

    @property
    def reason(self) -> str | None:
        """Why it failed, or cannot be compared."""
        return self.incomparable or next((entry.record.reason for entry in self.records if entry.record.reason), None)

    @property
    def seeds(self) -> tuple[Seed, ...]:
        """Seeds in rising order."""
        return tuple(in_order(seeds_of([entry.record for entry in self.records])))

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


def per_image_table(records: Sequence[StoredRecord]) -> pd.DataFrame:
    """Per-image values of all metrics, averaged over seeds, indexed by face name; also the column `severity` if kept.

    NaN where a seed failed on a face; only faces and metrics that every record has; empty without per-image values.
    """
    tables = []
    for stored in records:
        table = stored.per_image()
        if table is None:
            return pd.DataFrame()
        tables.append(table.set_index(FACE_COLUMN).astype(float))
    if len(tables) == 1:
        return tables[0]
    shared = [name for name in tables[0].columns if all(name in table for table in tables)]
    columns = {name: _mean_over_seeds([table[name] for table in tables]) for name in shared}
    return pd.DataFrame(columns)


def _mean_over_seeds(values: Sequence[pd.Series]) -> pd.Series:
    joined = pd.concat(values, axis=1, join="inner")
    return pd.Series(joined.to_numpy(dtype=np.float64).mean(axis=1), index=joined.index)


def per_image_values(records: Sequence[StoredRecord], metric: str) -> pd.Series:
    """Values by face name, averaged over seeds; NaN where a seed failed on a face; empty if the metric has none."""
    table = per_image_table(records)
    return table[metric] if metric in table else pd.Series(dtype=float)


def cells_of(records: Sequence[StoredRecord], resamples: int, seed: int) -> dict[str, Cell]:
    """Every metric of the records of one row; `resamples` and `seed` are those of the bootstrap over several seeds."""
    names = dict.fromkeys(name for entry in records for name in entry.record.metrics)
    table = _readable_table(records)
    return {name: _cell(name, records, table, resamples, seed) for name in names}


def _readable_table(records: Sequence[StoredRecord]) -> pd.DataFrame:
    """The per-image values; none of a row that stands apart because its file is damaged."""
    try:
        return per_image_table(records)
    except UserError:
        return pd.DataFrame()


def _cell(name: str, records: Sequence[StoredRecord], table: pd.DataFrame, resamples: int, seed: int) -> Cell:
    seeds = seeds_of([entry.record for entry in records])
    found = {number: entry.record.metrics for number, entry in zip(seeds, records, strict=True)}
    measured = {number: found[number][name] for number in in_order(found) if name in found[number]}
    by_seed = {number: metric.value for number, metric in measured.items() if metric.value is not None}
    first = next(iter(measured.values()))
    values = table[name].to_numpy(dtype=np.float64) if name in table else np.empty(0)
    return Cell(
        definition=first.definition,
        value=float(np.mean(list(by_seed.values()))) if by_seed else None,
        interval=first.interval if len(measured) == 1 else _interval(values, measured, resamples, seed),
        n=min(metric.n for metric in measured.values()),
        failures=max(metric.failures for metric in measured.values()),
        by_seed=by_seed,
        worst_decile=_worst(values, first.definition, resamples, seed),
    )


def _interval(
    values: Float[np.ndarray, " n"], measured: dict[Seed, MetricValue], resamples: int, seed: int
) -> tuple[float, float] | None:
    """Interval of the mean over seeds, from each face's mean over seeds."""
    if any(metric.interval is None for metric in measured.values()):
        return None
    interval = bootstrap_mean(values, resamples, seed)
    return (interval.low, interval.high) if interval.n > 1 else None


def _worst(values: Float[np.ndarray, " n"], definition: dict, resamples: int, seed: int) -> Interval | None:
    if np.isnan(values).all():
        return None
    return worst_decile(values, direction_of(definition), resamples, seed)
