"""Quality against network evaluations: how short a chain each solver can do with."""

from collections.abc import Sequence
from dataclasses import dataclass

from src.leaderboard.definition import direction_of, metric_for
from src.leaderboard.knobs import Setting
from src.leaderboard.ranking import paired_difference
from src.leaderboard.refinement import Refinement
from src.leaderboard.render import with_interval
from src.leaderboard.row import Cell
from src.leaderboard.setting import knob_texts
from src.leaderboard.study import Ranking
from src.leaderboard.sweep import Refined, SweepLine, by_place, evaluations, line_of, most_measured, others, refined_of
from src.metrics.statistics import Interval

_OF_THE_SOLVER = ("solver", "steps", "eta")
"""Knobs that may differ within a group; all others are held."""
FEWEST_SOLVERS = 2
FEWEST_COUNTS = 3
"""With a single solver, fewer counts show no course."""


@dataclass(frozen=True)
class SolverLines:
    """The solvers of one arm on one benchmark, at one start and otherwise equal settings."""

    arm: str
    lines: tuple[SweepLine, ...]
    """One a solver, over network evaluations."""
    refinement: Refinement
    reading: str
    """How few evaluations are not told apart from most."""


def solver_lines(rankings: Sequence[Ranking], resamples: int, seed: int) -> list[SolverLines]:
    """For every arm and benchmark on which steps vary, with two solvers or three counts, at that start and guidance of the
    arm which has most settings.
    """
    found = []
    for arm, entries in refined_of(rankings).items():
        usable = [entry for entry in entries if "steps" in entry.knobs and evaluations(entry.row) is not None]
        if not usable:
            continue
        held = most_measured(usable, _held)
        same = [entry for entry in usable if _held(entry) == held]
        for group in filter(_is_swept, by_place(same)):
            if lines := tuple(_lines(group, resamples, seed)):
                found.append(SolverLines(arm, lines, group[0].refinement, _reading(group, resamples, seed)))
    return found


def _held(entry: Refined) -> Setting:
    return others(entry.knobs, *_OF_THE_SOLVER)


def _is_swept(entries: Sequence[Refined]) -> bool:
    counts = {entry.knobs["steps"] for entry in entries}
    solvers = {entry.knobs.get("solver") for entry in entries}
    return len(counts) > 1 and (len(solvers) >= FEWEST_SOLVERS or len(counts) >= FEWEST_COUNTS)


def _lines(entries: Sequence[Refined], resamples: int, seed: int) -> list[SweepLine]:
    groups: dict[Setting, list[Refined]] = {}
    for entry in entries:
        groups.setdefault(others(entry.knobs, "steps"), []).append(entry)
    lines = [line_of(group, "steps", fixed, resamples, seed) for fixed, group in groups.items()]
    return [line for line in lines if line.points]


def _reading(entries: Sequence[Refined], resamples: int, seed: int) -> str:
    """The shortest chain that its paired perceptual difference to the longest one (the best of equally long) does not
    show to be worse."""
    longest = _longest(entries)
    where = ", ".join([f"{longest.row.arm} on {longest.place.benchmark}", *knob_texts(dict(_held(longest)))])
    metric = _perceptual(longest)
    changes = [] if metric is None else _changes(entries, longest, metric, resamples, seed)
    if metric is None or not changes:
        return f"{where}: no perceptual metric with per-image values compares shorter chains with {_named(longest)}."
    as_good = [found for found in changes if not _is_worse(found[1], longest.row.cells[metric])]
    if not as_good:
        return f"{where}: every shorter chain is worse in {metric} than {_named(longest)}."
    shortest, change = as_good[0]
    text = with_interval(change.mean, (change.low, change.high))
    return (
        f"{where}: the shortest chain not told to be worse in {metric} than {_named(longest)} is {_named(shortest)}; "
        f"it differs by {text}, paired over {change.n} images."
    )


def _changes(
    entries: Sequence[Refined], longest: Refined, metric: str, resamples: int, seed: int
) -> list[tuple[Refined, Interval]]:
    """Every shorter chain with its paired difference to the longest, shortest first."""
    shorter = sorted((entry for entry in entries if _count(entry) < _count(longest)), key=_count)
    found = [(entry, paired_difference(entry.row, longest.row, metric, resamples, seed)) for entry in shorter]
    return [(entry, change) for entry, change in found if change is not None and change.n > 0]


def _longest(entries: Sequence[Refined]) -> Refined:
    most = max(map(_count, entries))
    return min((entry for entry in entries if _count(entry) == most), key=_perceptual_loss)


def _perceptual_loss(entry: Refined) -> float:
    metric = _perceptual(entry)
    cell = None if metric is None else entry.row.cells[metric]
    if cell is None or cell.value is None:
        return float("inf")
    return cell.value if direction_of(cell.definition) == "lower" else -cell.value


def _perceptual(entry: Refined) -> str | None:
    metric = metric_for(entry.row.records[0].record, "perceptual")
    return metric if metric in entry.row.cells else None


def _is_worse(change: Interval, cell: Cell) -> bool:
    return change.excludes_zero() and (change.mean > 0) == (direction_of(cell.definition) == "lower")


def _count(entry: Refined) -> int:
    return evaluations(entry.row) or 0


def _named(entry: Refined) -> str:
    solver = {name: value for name, value in entry.knobs.items() if name in _OF_THE_SOLVER}
    return f"{', '.join(knob_texts(solver))} ({_count(entry)} evaluations)"
