"""Rows of a leaderboard, with everything needed to trace them, as plain values for the page."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from src.leaderboard.knobs import seed_of
from src.leaderboard.page_config import Entry, own_config
from src.leaderboard.row import Cell, Row
from src.leaderboard.setting import setting_text
from src.metrics.statistics import Interval
from src.tracking.records import StoredRecord

SIGNIFICANT_DIGITS = 7
"""Of a number on the page; leaderboard.csv holds them all."""


class Pool:
    """Values that several rows share, each stored once and named by its place."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[str, int] = {}

    def put(self, value: Any) -> int:
        """Place of `value` among `values`."""
        place = self._places.setdefault(repr(value), len(self.values))
        if place == len(self.values):
            self.values.append(value)
        return place


def number(value: float | None) -> float | None:
    """The value to `SIGNIFICANT_DIGITS`; None for what is not finite."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def numbers(values: Iterable[float] | None) -> list[float | None] | None:
    """An interval's bounds, or None without an interval."""
    return None if values is None else [number(value) for value in values]


def interval(found: Interval | None) -> list[float | None] | None:
    """Mean, lower and upper bound."""
    return None if found is None else numbers((found.mean, found.low, found.high))


def row_payload(row: Row, pool: Pool, shared: Sequence[Entry]) -> dict[str, Any]:
    """What the page shows of a row; `shared` are the entries that the configurations of the ranking have in common."""
    standing, cost = row.standing, row.cost
    return {
        "arm": row.arm,
        "setting": setting_text(row),
        "fidelity": number(row.fidelity),
        "baseline": row.baseline,
        "status": row.status,
        "reason": row.reason,
        "position": standing.position if standing else None,
        "rank": standing.rank if standing else None,
        "tied": standing.tied if standing else False,
        "toBest": interval(standing.to_best) if standing else None,
        "cells": {name: _cell(cell) for name, cell in row.cells.items()},
        "n": row.n,
        "seeds": list(row.seeds),
        "failures": max((cell.failures for cell in row.cells.values()), default=0),
        "cost": None
        if cost is None
        else {
            "parameters": cost.parameters,
            "evaluations": cost.network_evaluations,
            "seconds": number(cost.seconds_per_image),
            "memory": number(cost.peak_memory_mb),
        },
        "records": [_record(stored, pool, shared) for stored in row.records],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    several = len(cell.by_seed) > 1
    found = {
        "value": number(cell.value),
        "interval": numbers(cell.interval),
        "worst": interval(cell.worst_decile),
        "n": cell.n,
        "failures": cell.failures,
        "refused": cell.refused,
        "seeds": {str(seed): number(value) for seed, value in cell.by_seed.items()} if several else None,
    }
    return {key: value for key, value in found.items() if key == "value" or value not in (None, 0)}


def _record(stored: StoredRecord, pool: Pool, shared: Sequence[Entry]) -> dict[str, Any]:
    record = stored.record
    return {
        "run": record.run,
        "identity": record.identity,
        "seed": seed_of(record),
        "stage": record.stage,
        "restorer": record.restorer,
        "created": record.created,
        "commit": record.commit,
        "dirty": record.dirty,
        "command": record.command,
        **{name: pool.put(finite(getattr(record, name))) for name in _POOLED},
        "definitions": pool.put({name: finite(metric.definition) for name, metric in record.metrics.items()}),
        "config": pool.put(own_config(finite(record.config), shared)),
    }


_POOLED = ("benchmark", "weights", "licences", "hardware", "knobs", "missing", "severity", "roles")


def finite(value: Any) -> Any:
    """The same nested value as JSON has it: None for numbers that are not finite, text for what JSON has no type for."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
