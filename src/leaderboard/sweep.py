"""Lines of a refining method over one of its knobs: the settings that differ in that knob alone."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from src.leaderboard.against_reference import COMPARED_ROLES, PIXEL_ERROR, Compared, alone_of, compared
from src.leaderboard.comparable import benchmark_name
from src.leaderboard.knobs import Setting
from src.leaderboard.recipe_state import RecipeState, state_of
from src.leaderboard.refinement import Refinement, refinement_by
from src.leaderboard.row import Row
from src.leaderboard.setting import knob_texts
from src.leaderboard.study import Ranking


@dataclass(frozen=True)
class Place:
    """A benchmark on which a line was measured."""

    benchmark: str
    """As shown: its recipe, or what else tells it from the study's others."""
    state: RecipeState
    """Of its recipe among those that the arm was trained on."""
    n: int
    """Faces."""


@dataclass(frozen=True)
class SweepPoint:
    """One setting."""

    at: int | float
    """The start, or the number of network evaluations."""
    evaluations: int | None
    """Network evaluations of a face, those of what is refined included; None if not recorded."""
    values: dict[str, Compared]
    """By role."""


@dataclass(frozen=True)
class SweepLine:
    """One arm on one benchmark."""

    arm: str
    refinement: Refinement
    fixed: tuple[str, ...]
    """The knobs that all points share, as shown."""
    place: Place
    points: tuple[SweepPoint, ...]
    """Rising."""


def known_values(line: SweepLine, role: str) -> list[tuple[int | float, Compared]]:
    """Places along a line with the values of one role."""
    return [(point.at, point.values[role]) for point in line.points if role in point.values]


def roles_of(lines: Sequence[SweepLine]) -> list[str]:
    """Roles that some point has, the pixel error first."""
    found = {role for line in lines for point in line.points for role in point.values}
    return [role for role in (PIXEL_ERROR, *COMPARED_ROLES) if role in found]


@dataclass(frozen=True)
class Refined:
    """A setting and what it refines, on one benchmark."""

    row: Row
    refinement: Refinement
    alone: Row
    place: Place
    knobs: dict[str, str]


def refined_of(rankings: Sequence[Ranking]) -> dict[str, list[Refined]]:
    """By arm: every ranked setting with a start of a method whose starting face was measured on the same benchmark."""
    names = benchmark_labels([ranking.protocol.benchmark for ranking in rankings])
    found: dict[str, list[Refined]] = {}
    for ranking, name in zip(rankings, names, strict=True):
        for row in ranking.rows:
            knobs = dict(row.setting)
            refinement, alone = refinement_by(row.restorer), alone_of(row, ranking.rows)
            if row.ranked and "start" in knobs and refinement is not None and alone is not None:
                place = Place(name, state_of(row), row.n)
                found.setdefault(row.arm, []).append(Refined(row, refinement, alone, place, knobs))
    return found


def benchmark_labels(benchmarks: Sequence[Mapping[str, object]]) -> list[str]:
    """The shortest of recipe, name and name with hash that tells the benchmarks apart."""
    recipes = [str(benchmark.get("recipe") or "") for benchmark in benchmarks]
    names = [str(benchmark.get("name")) for benchmark in benchmarks]
    unique = (texts for texts in (recipes, names) if all(texts) and len(set(texts)) == len(texts))
    return next(unique, [benchmark_name(dict(benchmark)) for benchmark in benchmarks])


def others(knobs: Mapping[str, str], *moving: str) -> Setting:
    """The knobs that do not move along a line."""
    return tuple((name, value) for name, value in knobs.items() if name not in moving)


def most_measured(entries: Sequence[Refined], key: Callable[[Refined], Setting]) -> Setting:
    """The combination of knobs that was measured at most settings; of equals, the first in the order of the rows."""
    counts = Counter(map(key, entries))
    return max(counts, key=lambda setting: counts[setting])


def by_place(entries: Sequence[Refined]) -> list[list[Refined]]:
    """Settings measured on the same benchmark."""
    groups: dict[Place, list[Refined]] = {}
    for entry in entries:
        groups.setdefault(entry.place, []).append(entry)
    return list(groups.values())


def line_of(entries: Sequence[Refined], knob: str, fixed: Setting, resamples: int, seed: int) -> SweepLine:
    """The line of `entries`, all of one arm and benchmark, along `knob` (`start`, or `steps` in network evaluations).

    Settings without a metric in common with what they refine are left out.
    """
    points = [_point(entry, knob, resamples, seed) for entry in entries]
    ordered = sorted((point for point in points if point.values), key=lambda point: point.at)
    first = entries[0]
    return SweepLine(first.row.arm, first.refinement, tuple(knob_texts(dict(fixed))), first.place, tuple(ordered))


def evaluations(row: Row) -> int | None:
    """Network evaluations of a face; None if not recorded."""
    return None if row.cost is None else row.cost.network_evaluations


def _point(entry: Refined, knob: str, resamples: int, seed: int) -> SweepPoint:
    passes = evaluations(entry.row)
    at = _number(entry.knobs["start"]) if knob == "start" else passes
    assert at is not None
    return SweepPoint(at, passes, compared(entry.row, entry.alone, resamples, seed))


def _number(text: str) -> int | float:
    """A start: a step, or a part of the process."""
    return int(text) if text.isdigit() else float(text)
