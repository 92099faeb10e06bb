"""Error against start: does refining shrink the error of what it starts from, and from which start on?"""

from collections.abc import Sequence

from src.leaderboard.against_reference import COMPARED_ROLES, PIXEL_ERROR, Compared
from src.leaderboard.definition import ARROWS
from src.leaderboard.refinement import Refinement
from src.leaderboard.render import with_interval
from src.leaderboard.study import Ranking
from src.leaderboard.sweep import SweepLine, by_place, known_values, line_of, most_measured, others, refined_of

Known = Sequence[tuple[int | float, Compared]]
"""Starts with the values of one role."""


def start_curves(rankings: Sequence[Ranking], resamples: int, seed: int) -> list[SweepLine]:
    """A line for every arm and benchmark with several starts, at that combination of the arm's other knobs which has
    most settings.
    """
    lines = []
    for entries in refined_of(rankings).values():
        fixed = most_measured(entries, lambda entry: others(entry.knobs, "start"))
        same = [entry for entry in entries if others(entry.knobs, "start") == fixed]
        lines += [line_of(group, "start", fixed, resamples, seed) for group in by_place(same)]
    return [line for line in lines if len(line.points) > 1]


def start_reading(line: SweepLine) -> str:
    """Where the paired intervals say that the picture is better or worse than what is refined, role by role."""
    refinement = line.refinement
    known = {role: known_values(line, role) for role in (PIXEL_ERROR, *COMPARED_ROLES)}
    parts = [_pixel_error(known[PIXEL_ERROR], refinement)] if known[PIXEL_ERROR] else []
    parts += [
        _role(known[role], refinement) for role in COMPARED_ROLES if any(entry.change for _, entry in known[role])
    ]
    state = {"inside": ", in its training recipes", "outside": ", outside its training recipes", "unknown": ""}
    where = f"{line.place.benchmark}{state[line.place.state]}"
    found = "; ".join(parts) or "no metric with per-image values was measured on both"
    return f"{line.arm} ({', '.join(line.fixed)}) on {where}, n = {line.place.n}: {found}."


def _pixel_error(known: Known, refinement: Refinement) -> str:
    noun, smaller = refinement.noun, _signed(known, 1)
    if not smaller:
        return f"pixel error smaller than the {noun}'s at no {refinement.start}" + _rest(known, "larger", refinement)
    best, least = min(smaller, key=lambda entry: entry[1].value)
    share = with_interval(least.value, least.bounds)
    return (
        f"contracts the {noun}'s error: pixel error smaller at {_starts(smaller, refinement)} ({share} of it at "
        f"{refinement.start} {best:g})" + _rest(known, "larger", refinement)
    )


def _role(known: Known, refinement: Refinement) -> str:
    metric = f"{known[0][1].metric} {ARROWS[known[0][1].direction]}"
    better = _signed(known, 1)
    where = _starts(better, refinement) if better else f"no {refinement.start}"
    return f"{metric} better at {where}" + _rest(known, "worse", refinement)


def _rest(known: Known, word: str, refinement: Refinement) -> str:
    worse, open_ = (_starts(_signed(known, sign), refinement) for sign in (-1, 0))
    return (f", {word} at {worse}" if worse else "") + (f", not told apart at {open_}" if open_ else "")


def _signed(known: Known, sign: int) -> list[tuple[int | float, Compared]]:
    return [(at, entry) for at, entry in known if entry.sign == sign]


def _starts(entries: Known, refinement: Refinement) -> str:
    """Empty without entries."""
    return f"{refinement.start} " + ", ".join(f"{at:g}" for at, _ in entries) if entries else ""
