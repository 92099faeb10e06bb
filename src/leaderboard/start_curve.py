"""Error against start step: does refining shrink the error of the restoration backbone, and from which N on?"""

from collections.abc import Sequence

from src.leaderboard.against_backbone import COMPARED_ROLES, PIXEL_ERROR, Compared
from src.leaderboard.definition import ARROWS
from src.leaderboard.render import with_interval
from src.leaderboard.study import Ranking
from src.leaderboard.sweep import SweepLine, by_place, known_values, line_of, most_measured, others, refined_of


def start_curves(rankings: Sequence[Ranking], resamples: int, seed: int) -> list[SweepLine]:
    """A line for every arm and benchmark with several start steps, at that combination of the arm's other knobs which has
    most settings.
    """
    lines = []
    for entries in refined_of(rankings).values():
        fixed = most_measured(entries, lambda entry: others(entry.knobs, "start"))
        same = [entry for entry in entries if others(entry.knobs, "start") == fixed]
        lines += [line_of(group, "start", fixed, resamples, seed) for group in by_place(same)]
    return [line for line in lines if len(line.points) > 1]


def start_reading(line: SweepLine) -> str:
    """Where the paired intervals say that the picture is better or worse than the backbone's, role by role."""
    parts = [_pixel_error(line)] if known_values(line, PIXEL_ERROR) else []
    parts += [
        _role(line, role) for role in COMPARED_ROLES if any(entry.change for _, entry in known_values(line, role))
    ]
    state = {"inside": ", in its training recipes", "outside": ", outside its training recipes", "unknown": ""}
    where = f"{line.place.benchmark}{state[line.place.state]}"
    found = "; ".join(parts) or "no metric with per-image values was measured on both"
    return f"{line.arm} ({', '.join(line.fixed)}) on {where}, n = {line.place.n}: {found}."


def _pixel_error(line: SweepLine) -> str:
    known = known_values(line, PIXEL_ERROR)
    smaller = _signed(known, 1)
    if not smaller:
        return "pixel error smaller than the backbone's at no N" + _rest(known, "larger")
    best, least = min(smaller, key=lambda entry: entry[1].value)
    share = with_interval(least.value, least.bounds)
    text = f"contracts the backbone's error: pixel error smaller at {_steps(smaller)} ({share} of it at N {best})"
    return text + _rest(known, "larger")


def _role(line: SweepLine, role: str) -> str:
    known = known_values(line, role)
    metric = f"{known[0][1].metric} {ARROWS[known[0][1].direction]}"
    better = _signed(known, 1)
    return f"{metric} better at {_steps(better) if better else 'no N'}" + _rest(known, "worse")


def _rest(known: Sequence[tuple[int, Compared]], word: str) -> str:
    worse, open_ = _signed(known, -1), _signed(known, 0)
    return (f", {word} at {_steps(worse)}" if worse else "") + (f", not told apart at {_steps(open_)}" if open_ else "")


def _signed(known: Sequence[tuple[int, Compared]], sign: int) -> list[tuple[int, Compared]]:
    return [(at, entry) for at, entry in known if entry.sign == sign]


def _steps(entries: Sequence[tuple[int, Compared]]) -> str:
    return "N " + ", ".join(str(at) for at, _ in entries)
