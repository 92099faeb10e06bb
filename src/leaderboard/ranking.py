"""Ranks of arms: claimed only where the paired bootstrap interval excludes zero (conventions.md 7)."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd

from src.leaderboard.comparable import Protocol
from src.leaderboard.definition import direction_of
from src.leaderboard.row import Row, Standing, per_image_values
from src.metrics.statistics import Direction, Interval, paired_bootstrap


def with_standings(rows: Sequence[Row], protocol: Protocol, resamples: int, seed: int) -> list[Row]:
    """The rows with a standing at each arm's best setting.

    Arms are ordered by the primary metric. An arm shares the rank of the one before it unless the paired interval of
    their difference excludes zero; after a tie of two, the next rank is two higher.
    """
    direction = direction_of(protocol.measured[protocol.metric].definition)
    order = _ordered(rows, protocol.metric, direction)
    values = {}
    if protocol.per_image:
        values = {index: per_image_values(rows[index].records, protocol.metric) for index in order}
    steps = [_paired(values, later, earlier, resamples, seed) for earlier, later in pairwise(order)]
    leaders = _leaders(steps, direction)
    standings = {}
    for position, index in enumerate(order):
        standings[index] = Standing(
            position=position + 1,
            rank=leaders[position] + 1 if values else None,
            tied=bool(values) and leaders.count(leaders[position]) > 1,
            to_best=_paired(values, index, order[0], resamples, seed) if position else None,
        )
    return [replace(row, standing=standings.get(index)) for index, row in enumerate(rows)]


def placed(rows: Sequence[Row]) -> list[Row]:
    """Rows with a standing, in order."""
    found = [row for row in rows if row.standing is not None]
    return sorted(found, key=lambda row: row.standing.position if row.standing else 0)


def paired_difference(a: Row, b: Row, metric: str, resamples: int, seed: int) -> Interval | None:
    """Interval of the mean of `a` minus `b` over the faces that both have; None without per-image values."""
    values = {0: per_image_values(a.records, metric), 1: per_image_values(b.records, metric)}
    return _paired(values, 0, 1, resamples, seed)


def best_and_tied(rows: Sequence[Row], metric: str, resamples: int, seed: int) -> set[int]:
    """Places in `rows` of the best value of a metric and of those whose paired interval to it holds zero.

    A value that is refused takes no part; of a metric without per-image values only equal ones are tied.
    """
    cells = {place: row.cells[metric] for place, row in enumerate(rows) if metric in row.cells}
    values = {place: cell.value for place, cell in cells.items() if cell.value is not None and not cell.refused}
    if not values:
        return set()
    sign = 1.0 if direction_of(next(iter(cells.values())).definition) == "lower" else -1.0
    best = min(values, key=lambda place: sign * values[place])
    changes = {place: paired_difference(rows[place], rows[best], metric, resamples, seed) for place in values}
    return {
        place
        for place, change in changes.items()
        if (values[place] == values[best] if change is None else not change.excludes_zero())
    }


def _ordered(rows: Sequence[Row], metric: str, direction: Direction) -> list[int]:
    """Index of each arm's best comparable row, best arm first."""
    sign = 1.0 if direction == "lower" else -1.0
    best: dict[str, tuple[float, int]] = {}
    for index, row in enumerate(rows):
        value = row.cells[metric].value if row.ranked and metric in row.cells else None
        if value is None or row.cells[metric].refused:
            continue
        candidate = (sign * value, index)
        best[row.arm] = min(best.get(row.arm, candidate), candidate)
    return [index for _, index in sorted(best.values())]


def _paired(values: dict[int, pd.Series], a: int, b: int, resamples: int, seed: int) -> Interval | None:
    if a not in values or b not in values or values[a].empty or values[b].empty:
        return None
    table = pd.concat([values[a], values[b]], axis=1, join="inner").to_numpy(dtype=np.float64)
    return paired_bootstrap(table[:, 0], table[:, 1], resamples, seed)


def _leaders(steps: Sequence[Interval | None], direction: Direction) -> list[int]:
    """For each position, the position (from 0) of the first arm that it is tied with through its neighbours.

    `steps` are the differences of each arm from the second on to the one before it.
    """
    leaders = [0]
    for position, step in enumerate(steps, start=1):
        separated = step is not None and step.excludes_zero() and (step.mean > 0) == (direction == "lower")
        leaders.append(position if separated else leaders[-1])
    return leaders
