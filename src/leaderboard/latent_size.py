"""What latents of several sizes keep of a clean face: the motivation of CLR-Face, without diffusion (clr_face.md 2)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from src.leaderboard.against_reference import Compared, compared_roles
from src.leaderboard.cells import EMPTY
from src.leaderboard.definition import ARROWS
from src.leaderboard.knobs import Setting
from src.leaderboard.render import Grid, decimals, number, with_interval
from src.leaderboard.row import Row
from src.leaderboard.setting import knob_texts
from src.leaderboard.study import Ranking
from src.leaderboard.sweep import benchmark_labels, others

DOWNSCALE = "downscale"
"""Knob: pixels of the face a place of the latent, along one side."""
ROLES = ("identity", "perceptual", "distribution", "psnr")
_NAMES = {
    "identity": "identity",
    "perceptual": "perceptual quality",
    "distribution": "closeness to clean faces",
    "psnr": "PSNR",
}


@dataclass(frozen=True)
class LatentSize:
    """The reconstruction through one latent, beside that through the largest one of the line."""

    arm: str
    downscale: int
    values: dict[str, Compared]
    """By role."""


@dataclass(frozen=True)
class LatentSizes:
    """Latents of one method on one benchmark that differ in nothing but their size."""

    method: str
    """The restorer, and the knobs that all of them share."""
    benchmark: str
    n: int
    """Faces."""
    points: tuple[LatentSize, ...]
    """Two at least, by falling size; the first is what all are compared with."""

    @property
    def roles(self) -> list[str]:
        """Roles that some size has."""
        return [role for role in ROLES if any(role in point.values for point in self.points)]

    def known(self, role: str) -> list[tuple[int, Compared]]:
        """Factors of down-sampling with the values of one role."""
        return [(point.downscale, point.values[role]) for point in self.points if role in point.values]


def latent_sizes(rankings: Sequence[Ranking], resamples: int, seed: int) -> list[LatentSizes]:
    """A line for every benchmark and method of which two rows or more differ in the knob `downscale` alone, whatever their
    arms are called; arms of equal size are lines by themselves.
    """
    names = benchmark_labels([ranking.protocol.benchmark for ranking in rankings])
    found = []
    for ranking, name in zip(rankings, names, strict=True):
        for (restorer, shared), rows in _by_method(ranking.rows).items():
            method = " ".join([restorer, *knob_texts(dict(shared))])
            found += [_line(method, name, line, resamples, seed) for line in _lines(rows)]
    return [line for line in found if len(line.points) > 1]


def latent_size_reading(line: LatentSizes) -> str:
    """For each role, whether the largest latent keeps more than the smallest, by the paired interval."""
    first, last = line.points[0], line.points[-1]
    parts = [_kept(role, entry, first, last) for role, entry in last.values.items()]
    found = "; ".join(parts) or "no metric was measured on both"
    return f"{line.method} on {line.benchmark}, n = {line.n}: {found}."


def latent_size_grid(lines: Sequence[LatentSizes]) -> Grid:
    """A line a size: each role, in brackets its paired change from the largest latent."""
    roles = [role for role in ROLES if any(role in line.roles for line in lines)]
    rows = [
        (
            point.arm,
            line.method,
            line.benchmark,
            str(point.downscale),
            *(_cell(point, role, line.points[0]) for role in roles),
        )
        for line in lines
        for point in line.points
    ]
    headings = (role_heading(role, lines) for role in roles)
    return Grid(("arm", "method", "benchmark", "f", *headings), tuple(rows), keys=4)


def role_heading(role: str, lines: Sequence[LatentSizes]) -> str:
    """The metric of a role with an arrow to the better side."""
    first = next(entry for line in lines for _, entry in line.known(role))
    return f"{first.metric} {ARROWS[first.direction]}"


def _by_method(rows: Sequence[Row]) -> dict[tuple[str, Setting], list[Row]]:
    """Rows with a latent size, by restorer and its other knobs."""
    found: dict[tuple[str, Setting], list[Row]] = defaultdict(list)
    for row in rows:
        knobs = dict(row.setting)
        if DOWNSCALE in knobs:
            found[row.restorer, others(knobs, DOWNSCALE)].append(row)
    return found


def _lines(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows by falling size: as one line if every size is there once, else a line an arm."""
    ordered = sorted(rows, key=_downscale)
    if len({_downscale(row) for row in rows}) == len(rows):
        return [ordered]
    arms: dict[str, list[Row]] = {}
    for row in ordered:
        arms.setdefault(row.arm, []).append(row)
    return list(arms.values())


def _downscale(row: Row) -> int:
    return int(dict(row.setting)[DOWNSCALE])


def _line(method: str, benchmark: str, rows: Sequence[Row], resamples: int, seed: int) -> LatentSizes:
    reference = rows[0]
    points = [
        LatentSize(row.arm, _downscale(row), compared_roles(row, reference, ROLES, resamples, seed)) for row in rows
    ]
    known = tuple(point for point in points if point.values)
    return LatentSizes(method, benchmark, reference.n, known)


def _kept(role: str, entry: Compared, first: LatentSize, last: LatentSize) -> str:
    """What the small latent loses against the large one."""
    large, small = f"f = {first.downscale}", f"f = {last.downscale}"
    values = f"{number(entry.reference)} at {large}, {number(entry.value)} at {small}"
    return f"{_NAMES[role]} ({entry.metric} {ARROWS[entry.direction]}) {values}, {_told(entry, large, small)}"


def _told(entry: Compared, large: str, small: str) -> str:
    change = entry.change
    if change is None:
        if entry.value == entry.reference:
            return "equal"
        nearer = large if (entry.reference < entry.value) == (entry.direction == "lower") else small
        return f"better at {nearer} as measured, a distance without interval"
    verdict = {-1: f"{large} keeps more", 1: f"{small} keeps more", 0: "not told apart"}[entry.sign]
    return f"{verdict} (paired change {with_interval(change.mean, (change.low, change.high))})"


def _cell(point: LatentSize, role: str, reference: LatentSize) -> str:
    entry = point.values.get(role)
    if entry is None:
        return EMPTY
    if entry.change is None or point == reference:
        return number(entry.value)
    change, digits = entry.change, decimals(entry.value)
    return f"{number(entry.value, digits)} ({with_interval(change.mean, (change.low, change.high), digits)})"
