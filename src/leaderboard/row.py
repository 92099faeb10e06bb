"""One line of a leaderboard: an arm at one setting, over all its seeds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Float

from src.leaderboard.definition import direction_of
from src.leaderboard.knobs import Seed, Setting, in_order, seeds_of
from src.metrics.statistics import Interval, bootstrap_mean, worst_decile
from src.settings.clr_face import ORACLE
from src.settings.errors import UserError
from src.tracking.records import FACE_COLUMN, Cost, MetricValue, StoredRecord


@dataclass(frozen=True)
class Cell:
    """One metric of a row."""

    definition: dict
    value: float | None
    """Mean over the seeds, over the faces that all of them could be measured on; None without such a face."""
    interval: tuple[float, float] | None
    """95 % over images, of the mean over the seeds; it says nothing about other seeds."""
    n: int
    failures: int
    """Faces that a seed failed on, of a metric with per-image values."""
    by_seed: dict[Seed, float]
    """Over the same faces."""
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
    """Shares its rank: the paired intervals to the arm before and to the first of the rank hold zero."""
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
    def restorer(self) -> str:
        """Name of the method."""
        return self.records[0].record.restorer

    @property
    def has_knob(self) -> bool:
        """Whether the fidelity weight moves anything: without fused encoder features every w gives the same picture."""
        settings = self.records[0].record.config.get("cft")
        fused = settings.get("fused_sizes") if isinstance(settings, dict) else None
        return self.fidelity is not None and fused != []

    @property
    def comparable(self) -> bool:
        """An arm whose numbers may stand beside those of the others."""
        return self.status == "finished" and not self.baseline and self.incomparable is None

    @property
    def told_truth(self) -> bool:
        """Was led toward the clean face itself: a ceiling, which no method reaches on a face that it was not told."""
        knobs = dict(self.setting)
        return knobs.get("target") == ORACLE and float(knobs.get("scale", 0)) > 0

    @property
    def ranked(self) -> bool:
        """Takes part in the ranking."""
        return self.comparable and not self.told_truth


def per_image_table(records: Sequence[StoredRecord]) -> pd.DataFrame:
    """Per-image values of all metrics, averaged over seeds, indexed by face name; also the column `severity` if kept.

    NaN where a seed failed on a face; only faces and metrics that every record has; empty without per-image values.
    """
    return _mean_over_seeds(_tables(records))


def _tables(records: Sequence[StoredRecord]) -> list[pd.DataFrame]:
    """Per-image values of each record, indexed by face name; empty if one has none."""
    tables = [table for stored in records if (table := stored.per_image()) is not None]
    return [table.set_index(FACE_COLUMN).astype(float) for table in tables] if len(tables) == len(records) else []


def _mean_over_seeds(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    if not tables:
        return pd.DataFrame()
    if len(tables) == 1:
        return tables[0]
    shared = [name for name in tables[0].columns if all(name in table for table in tables)]
    joined = {name: _seeds_by_face(name, tables) for name in shared}
    return pd.DataFrame({name: pd.Series(_means(table), index=table.index) for name, table in joined.items()})


def _means(by_face: pd.DataFrame) -> Float[np.ndarray, " n"]:
    return by_face.to_numpy(dtype=np.float64).mean(axis=1)


def _seeds_by_face(name: str, tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One line a face that all tables have, one column a table; empty if a table lacks the column."""
    if any(name not in table for table in tables):
        return pd.DataFrame()
    return pd.concat([table[name] for table in tables], axis=1, join="inner")


def per_image_values(records: Sequence[StoredRecord], metric: str) -> pd.Series:
    """Values by face name, averaged over seeds; NaN where a seed failed on a face; empty if the metric has none."""
    table = per_image_table(records)
    return table[metric] if metric in table else pd.Series(dtype=float)


def cells_of(records: Sequence[StoredRecord], resamples: int, seed: int) -> dict[str, Cell]:
    """Every metric of the records of one row; `resamples` and `seed` are those of the bootstrap over several seeds."""
    names = dict.fromkeys(name for entry in records for name in entry.record.metrics)
    tables = _readable_tables(records)
    cells = {name: _cell(name, records, _mean_over_seeds(tables), resamples, seed) for name in names}
    if len(tables) < 2:
        return cells
    seeds = seeds_of([entry.record for entry in records])
    return {name: _on_common_faces(cell, _seeds_by_face(name, tables), seeds) for name, cell in cells.items()}


def _readable_tables(records: Sequence[StoredRecord]) -> list[pd.DataFrame]:
    """The per-image values; none of a row that stands apart because its file is damaged."""
    try:
        return _tables(records)
    except UserError:
        return []


def _on_common_faces(cell: Cell, by_face: pd.DataFrame, seeds: Sequence[Seed]) -> Cell:
    """The cell over the faces that no seed failed on: each seed's own mean would be over other faces.

    Args:
        by_face: a column a seed, in the order of `seeds`; empty of a metric without per-image values.
    """
    common = by_face.dropna().to_numpy(dtype=np.float64)
    failed = len(by_face) - len(common)
    if failed == 0:
        return cell
    if len(common) == 0:
        return replace(cell, value=None, interval=None, n=0, failures=failed, by_seed={})
    means = dict(zip(seeds, common.mean(axis=0).tolist(), strict=True))
    by_seed = {number: means[number] for number in in_order(seeds)}
    return replace(cell, value=float(common.mean()), n=len(common), failures=failed, by_seed=by_seed)


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
