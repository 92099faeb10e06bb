"""Sentences of a leaderboard: who wins, what is known about the numbers, and what they must not be taken for."""

from collections.abc import Sequence

from src.leaderboard.comparable import Protocol
from src.leaderboard.definition import ARROWS, direction_of, is_distribution
from src.leaderboard.grids import fidelity_text, metric_order
from src.leaderboard.ranking import paired_difference, placed
from src.leaderboard.render import with_interval
from src.leaderboard.row import Cell, Row
from src.metrics.statistics import MINIMUM_IMAGES, Interval
from src.tracking.provenance import UNKNOWN


def verdict(rows: Sequence[Row], protocol: Protocol | None) -> str:
    """The sentence that names the winner, or the tie, on the primary metric."""
    order = placed(rows)
    if protocol is None or not order:
        return "No arm has a result that can be ranked."
    metric = f"{protocol.metric} {ARROWS[direction_of(protocol.measured[protocol.metric].definition)]}"
    first = order[0]
    best = f"{_name(first)} with {_value(first, protocol.metric)}"
    if len(order) == 1:
        return f"Only one arm can be ranked: {best} on {metric}."
    if first.standing is not None and first.standing.rank is None:
        return f"First on {metric} is {best}; it has no per-image values, so that no rank can be claimed."
    tied = [row for row in order if row.standing and row.standing.rank == 1]
    second = order[1].standing.to_best if order[1].standing else None
    if len(tied) > 1:
        names = f"{', '.join(map(_name, tied[:-1]))} and {_name(tied[-1])}"
        return f"Tie on {metric}: {names}; {_difference(order[1], second)}, which does not separate them."
    return f"Best on {metric}: {best}; {_difference(order[1], second)}."


def against_baselines(rows: Sequence[Row], protocol: Protocol | None, resamples: int, seed: int) -> list[str]:
    """For the first arm and each baseline: the paired difference, and whether it is one."""
    order = placed(rows)
    if protocol is None or not order:
        return []
    direction = direction_of(protocol.measured[protocol.metric].definition)
    sentences = []
    for row in rows:
        if not row.baseline or row.status != "finished" or row.incomparable:
            continue
        change = paired_difference(order[0], row, protocol.metric, resamples, seed)
        if change is None:
            continue
        better = (change.mean < 0) == (direction == "lower")
        word = ("better than" if better else "worse than") if change.excludes_zero() else "not told apart from"
        sentences.append(f"{_name(order[0])} is {word} the baseline {row.arm}: {_interval(change)}.")
    return sentences


def cautions(rows: Sequence[Row], protocol: Protocol | None) -> list[str]:
    """How the numbers were made and how far they carry."""
    if protocol is None:
        return []
    notes = [
        "Intervals are 95 % bootstrap intervals over images. A rank is claimed only where the paired interval of the "
        "difference to the arm before excludes zero; '=' marks a tie with a neighbour.",
    ]
    if any(sum(row.arm == other.arm for other in rows if other.ranked) > 1 for row in placed(rows)):
        notes.append(
            "Each arm is ranked at the fidelity w that is best for it on these very images: that choice is optimistic, "
            "the more so the more fidelities were tried. The table over all fidelities and the curve show every w."
        )
    if any(len(row.seeds) > 1 for row in rows if row.ranked):
        notes.append(
            "Several seeds: values are means over seeds, intervals are over images and say nothing of other seeds."
        )
    elif placed(rows):
        notes.append("One seed an arm: a difference between arms may be one between seeds.")
    if is_distribution(protocol.measured[protocol.metric]):
        notes.append(f"{protocol.metric} is one number for a set of images: order only, no ranks.")
    elif 0 < protocol.measured[protocol.metric].n < MINIMUM_IMAGES:
        notes.append(f"Fewer than {MINIMUM_IMAGES} images: too few to claim any rank.")
    return notes + _provenance_notes(rows)


def apart(rows: Sequence[Row]) -> list[str]:
    """One sentence for every row that failed or cannot be compared."""
    return [
        f"{_name(row)}: {'failed' if row.status == 'failed' else 'not comparable'}: {row.reason}"
        for row in rows
        if row.status == "failed" or row.incomparable
    ]


def definitions(rows: Sequence[Row], protocol: Protocol) -> list[str]:
    """One line a metric: id, direction, number of images, what measures it and the start of its hash."""
    return [_definition(name, _first_cell(name, rows)) for name in metric_order(rows, protocol)]


def commits(rows: Sequence[Row]) -> str:
    """The commits of all records, shortened, with a mark where files were changed."""
    found = {(entry.record.commit, entry.record.dirty) for row in rows for entry in row.records}
    return ", ".join(f"{commit[:10]}{' with uncommitted changes' if dirty else ''}" for commit, dirty in sorted(found))


def hardware(rows: Sequence[Row]) -> str:
    """The machines that the costs were measured on."""
    records = [entry.record for row in rows for entry in row.records if entry.record.cost is not None]
    found = {str(record.hardware.get("gpu") or record.hardware.get("cpu") or UNKNOWN) for record in records}
    return "; ".join(sorted(found)) or UNKNOWN


def _definition(name: str, cell: Cell) -> str:
    better = "lower is better" if direction_of(cell.definition) == "lower" else "higher is better"
    known = [str(cell.definition[key]) for key in ("formula", "source") if cell.definition.get(key)]
    sha256 = cell.definition.get("extractor_sha256")
    extractor = [f"extractor {str(sha256)[:8]}"] if sha256 else []
    version = f"version {cell.definition.get('version', 1)}"
    return "; ".join([f"{name}: {better}", f"n={cell.n}", *known, *extractor, version])


def _first_cell(name: str, rows: Sequence[Row]) -> Cell:
    comparable = [row for row in rows if name in row.cells and row.incomparable is None]
    return min(comparable, key=lambda row: row.baseline).cells[name]


def _provenance_notes(rows: Sequence[Row]) -> list[str]:
    found = {(entry.record.commit, entry.record.dirty) for row in rows for entry in row.records}
    notes = []
    if any(commit == UNKNOWN for commit, _ in found):
        notes.append("Some records were made outside a git checkout: the code that made them is not known.")
    if any(dirty for _, dirty in found):
        notes.append("Some records were made with uncommitted changes: the commit alone does not repeat them.")
    if len({commit for commit, _ in found}) > 1:
        notes.append("The records come from different commits.")
    if ";" in hardware(rows):
        notes.append("Costs were measured on different machines and cannot be compared.")
    return notes


def _name(row: Row) -> str:
    return row.arm if not row.has_knob else f"{row.arm} (w {fidelity_text(row)})"


def _value(row: Row, metric: str) -> str:
    cell = row.cells[metric]
    return with_interval(cell.value, cell.interval)


def _difference(row: Row, change: Interval | None) -> str:
    return f"{_name(row)} differs by {_interval(change)}" if change else f"{_name(row)} comes next"


def _interval(change: Interval) -> str:
    return f"{with_interval(change.mean, (change.low, change.high))}, paired over {change.n} images"
