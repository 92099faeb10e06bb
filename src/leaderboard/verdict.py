"""Sentences of a ranking: who wins, what is known about the numbers, and what they must not be taken for."""

from collections.abc import Sequence

from src.leaderboard.common_faces import CommonFaces, common_faces, common_faces_note
from src.leaderboard.comparable import Protocol
from src.leaderboard.definition import ARROWS, direction_of, is_biased, is_distribution
from src.leaderboard.ranking import paired_difference, placed
from src.leaderboard.render import with_interval
from src.leaderboard.row import Row
from src.leaderboard.setting import named
from src.metrics.statistics import MINIMUM_IMAGES, Interval
from src.settings.metric_roles import GUIDE_ROLE

INCEPTION_FEATURES = 2048
"""Below this number of faces the covariance of Inception features is singular, and the bias of a Fréchet distance large."""


def verdict(rows: Sequence[Row], protocol: Protocol) -> str:
    """The sentence that names the winner, or the tie, on the primary metric."""
    order = placed(rows)
    if not order:
        return "No arm has a result that can be ranked."
    metric = f"{protocol.metric} {ARROWS[direction_of(protocol.measured[protocol.metric].definition)]}"
    first = order[0]
    best = f"{named(first)} with {_value(first, protocol.metric)}"
    if protocol.per_image and first.standing is not None and first.standing.rank is None:
        return f"No arm is best on {metric}: no face could be measured in every arm."
    if len(order) == 1:
        return f"Only one arm can be ranked: {best} on {metric}."
    if first.standing is not None and first.standing.rank is None:
        return f"First on {metric} is {best}; it has no per-image values, so that no rank can be claimed."
    tied = [row for row in order if row.standing and row.standing.rank == 1]
    second = order[1].standing.to_best if order[1].standing else None
    if len(tied) > 1:
        names = f"{', '.join(map(named, tied[:-1]))} and {named(tied[-1])}"
        return f"Tie on {metric}: {names}; {_difference(order[1], second)}, which does not separate them."
    return f"Best on {metric}: {best}; {_difference(order[1], second)}."


def against_baselines(rows: Sequence[Row], protocol: Protocol, resamples: int, seed: int) -> list[str]:
    """For the first arm and each baseline: the paired difference, and whether it is one."""
    order = placed(rows)
    if not order:
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
        sentences.append(f"{named(order[0])} is {word} the baseline {row.arm}: {_interval(change)}.")
    return sentences


def cautions(rows: Sequence[Row], protocol: Protocol) -> list[str]:
    """How the numbers were made and how far they carry."""
    faces = common_faces(rows, protocol.metric)
    return [
        "Intervals are 95 % bootstrap intervals over images. A rank is claimed only where the paired interval of the "
        "difference to the arm before, or to the first arm of the rank before, excludes zero; '=' marks a shared rank.",
        *_faces(rows, protocol, faces),
        *_choice(rows),
        *_ceilings(rows),
        *_seeds(rows),
        *_primary(protocol, faces),
        *_guides_view(protocol),
        *_distances(rows, protocol),
    ]


def apart(rows: Sequence[Row]) -> list[str]:
    """One sentence for every row that failed or cannot be compared."""
    return [
        f"{named(row)}: {'failed' if row.status == 'failed' else 'not comparable'}: {row.reason}"
        for row in rows
        if row.status == "failed" or row.incomparable
    ]


def _choice(rows: Sequence[Row]) -> list[str]:
    several = [row for row in placed(rows) if sum(row.arm == other.arm for other in rows if other.ranked) > 1]
    if not several:
        return []
    what = "setting" if any(row.varied for row in rows) else "fidelity w"
    return [
        f"Each arm is ranked at the {what} that is best for it on these very images: that choice is optimistic, the "
        "more so the more were tried. The table of all settings and the curve show every one."
    ]


def _ceilings(rows: Sequence[Row]) -> list[str]:
    told = [named(row) for row in rows if row.comparable and row.told_truth]
    if not told:
        return []
    return [f"Led toward the clean faces themselves, and so a ceiling that takes part in no order: {'; '.join(told)}."]


def _seeds(rows: Sequence[Row]) -> list[str]:
    if any(len(row.seeds) > 1 for row in rows if row.ranked):
        return ["Several seeds: values are means over seeds, intervals are over images and say nothing of other seeds."]
    return ["One seed an arm: a difference between arms may be one between seeds."] if placed(rows) else []


def _faces(rows: Sequence[Row], protocol: Protocol, faces: CommonFaces | None) -> list[str]:
    """Which faces the order is over, and which rows have none."""
    notes = [] if faces is None else common_faces_note(faces)
    without = [row for row in rows if row.ranked and row.cells[protocol.metric].value is None]
    if without:
        names = ", ".join(map(named, without))
        notes.append(f"No face of {names} could be measured with every seed: no value, and no part in the order.")
    return notes


def _primary(protocol: Protocol, faces: CommonFaces | None) -> list[str]:
    measured = protocol.measured[protocol.metric]
    if is_distribution(measured):
        return [f"{protocol.metric} is one number for a set of images: order only, no ranks."]
    if 0 < (measured.n if faces is None else len(faces.values)) < MINIMUM_IMAGES:
        return [f"Fewer than {MINIMUM_IMAGES} images: too few to claim any rank."]
    return []


def _guides_view(protocol: Protocol) -> list[str]:
    """What the view of the guide says beside that of the judge."""
    by_role = {str(value.definition.get("role")): name for name, value in reversed(protocol.measured.items())}
    if GUIDE_ROLE not in by_role:
        return []
    judge = f" than in {by_role['identity']}" if "identity" in by_role else ""
    return [
        f"{by_role[GUIDE_ROLE]} is how the recogniser that guided sees its own work, and takes part in no order: what a "
        f"setting gains in it more{judge} is over-fitting to the guide. Cosines of two recognisers differ in scale: compare "
        "gains."
    ]


def _distances(rows: Sequence[Row], protocol: Protocol) -> list[str]:
    """The bias of Fréchet distances, and which of them are refused for it."""
    biased = {name: value for name, value in protocol.measured.items() if is_biased(value)}
    small = {name: value.n for name, value in biased.items() if value.n < INCEPTION_FEATURES}
    notes = [
        f"{name} is biased, the more so the fewer faces (here {n}), and no interval shows it: compare it only where n is "
        f"{n} too{_unbiased(protocol)}."
        for name, n in small.items()
    ]
    for name in biased:
        refused = [f"{named(row)} ({row.cells[name].refused})" for row in rows if _refused(row, name)]
        notes += [f"{name} is refused for {', '.join(refused)}{_unbiased(protocol)}."] if refused else []
    return notes


def _refused(row: Row, name: str) -> bool:
    return name in row.cells and row.cells[name].refused is not None


def _unbiased(protocol: Protocol) -> str:
    role = "distribution_unbiased"
    names = [name for name, value in protocol.measured.items() if value.definition.get("role") == role]
    return f"; {', '.join(names)} beside it has no such bias" if names else ""


def _value(row: Row, metric: str) -> str:
    cell = row.cells[metric]
    return with_interval(cell.value, cell.interval)


def _difference(row: Row, change: Interval | None) -> str:
    return f"{named(row)} differs by {_interval(change)}" if change else f"{named(row)} comes next"


def _interval(change: Interval) -> str:
    return f"{with_interval(change.mean, (change.low, change.high))}, paired over {change.n} images"
