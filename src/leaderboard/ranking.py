"""Ranks of arms: claimed only where the paired bootstrap interval excludes zero (conventions.md 7)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from src.leaderboard.common_faces import CommonFaces, common_faces, ranked_places
from src.leaderboard.comparable import Protocol
from src.leaderboard.definition import direction_of
from src.leaderboard.row import Row, Standing, per_image_values
from src.metrics.statistics import Interval, paired_bootstrap
from src.settings.metric_roles import is_guide_role


def with_standings(rows: Sequence[Row], protocol: Protocol, resamples: int, seed: int) -> list[Row]:
    """The rows with a standing at each arm's best setting.

    Arms are ordered by the primary metric over the faces that every ranked row was measured on, so that no arm gains by
    failing on hard ones. An arm shares a rank unless its paired interval to the arm before it, or to the first one of
    that rank, excludes zero; after a tie of two, the next rank is two higher. Without a common face, and without
    per-image values, each row's own mean gives an order and no ranks.
    """
    faces = _comparable_faces(rows, protocol.metric) if protocol.per_image else None
    order = _best_of_each_arm(rows, protocol.metric, faces)
    leaders = None if faces is None else _leaders(order, faces, resamples, seed)
    standings = {}
    for position, place in enumerate(order):
        standings[place] = Standing(
            position=position + 1,
            rank=leaders[position] + 1 if leaders else None,
            tied=leaders is not None and leaders.count(leaders[position]) > 1,
            to_best=faces.difference(place, order[0], resamples, seed) if faces is not None and position else None,
        )
    return [replace(row, standing=standings.get(place)) for place, row in enumerate(rows)]


def placed(rows: Sequence[Row]) -> list[Row]:
    """Rows with a standing, in order."""
    found = [row for row in rows if row.standing is not None]
    return sorted(found, key=lambda row: row.standing.position if row.standing else 0)


def paired_difference(a: Row, b: Row, metric: str, resamples: int, seed: int) -> Interval | None:
    """Interval of the mean of `a` minus `b` over the faces that both have; None without per-image values."""
    first, second = (per_image_values(row.records, metric) for row in (a, b))
    if first.empty or second.empty:
        return None
    table = pd.concat([first, second], axis=1, join="inner").to_numpy(dtype=np.float64)
    return paired_bootstrap(table[:, 0], table[:, 1], resamples, seed)


def best_and_tied(rows: Sequence[Row], metric: str, resamples: int, seed: int) -> set[int]:
    """Places in `placed(rows)` of the arms that share the first rank of a metric, by the rules of `with_standings`.

    Of a metric without per-image values only equal values are tied; without a common face nothing is best, nor is anything
    in the eyes of the recognisers that guided.
    """
    if any(is_guide_role(str(row.cells[metric].definition.get("role"))) for row in rows if metric in row.cells):
        return set()
    arms = {id(row): place for place, row in enumerate(placed(rows))}
    faces = common_faces(rows, metric)
    sign = _sign(rows, metric)
    own = [place for place in ranked_places(rows, metric) if id(rows[place]) in arms]
    order = sorted(own, key=lambda place: sign * _mean(rows, place, metric, faces))
    if not order or (faces is not None and faces.values.empty):
        return set()
    if faces is None:
        best = [place for place in order if rows[place].cells[metric].value == rows[order[0]].cells[metric].value]
    else:
        leaders = _leaders(order, faces, resamples, seed)
        best = [place for place, leader in zip(order, leaders, strict=True) if leader == 0]
    return {arms[id(rows[place])] for place in best}


def _comparable_faces(rows: Sequence[Row], metric: str) -> CommonFaces | None:
    faces = common_faces(rows, metric)
    return None if faces is None or faces.values.empty else faces


def _best_of_each_arm(rows: Sequence[Row], metric: str, faces: CommonFaces | None) -> list[int]:
    """Place of each arm's best row, best arm first."""
    sign = _sign(rows, metric)
    best: dict[str, tuple[float, int]] = {}
    for place in ranked_places(rows, metric):
        candidate = (sign * _mean(rows, place, metric, faces), place)
        best[rows[place].arm] = min(best.get(rows[place].arm, candidate), candidate)
    return [place for _, place in sorted(best.values())]


def _mean(rows: Sequence[Row], place: int, metric: str, faces: CommonFaces | None) -> float:
    value = rows[place].cells[metric].value
    assert value is not None
    return float(value) if faces is None else faces.mean(place)


def _sign(rows: Sequence[Row], metric: str) -> float:
    """What makes the better value the smaller one."""
    definition = next((row.cells[metric].definition for row in rows if metric in row.cells), None)
    return -1.0 if definition is not None and direction_of(definition) == "higher" else 1.0


def _leaders(order: Sequence[int], faces: CommonFaces, resamples: int, seed: int) -> list[int]:
    """For each position, the position (from 0) of the first arm of its rank.

    Neighbours that are tied in a chain may be far apart at its ends: each is held against the first one too.
    """
    leaders: list[int] = []
    for position, place in enumerate(order):
        rivals = {order[position - 1], order[leaders[-1]]} if leaders else set()
        shared = leaders and not any(
            faces.difference(place, rival, resamples, seed).excludes_zero() for rival in sorted(rivals)
        )
        leaders.append(leaders[-1] if shared else position)
    return leaders
