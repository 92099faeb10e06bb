"""The metric columns of a ranking: their order, headings and digits."""

from collections.abc import Sequence

from src.leaderboard.comparable import Protocol
from src.leaderboard.definition import ARROWS, direction_of
from src.leaderboard.render import decimals
from src.leaderboard.row import Row
from src.settings.metric_roles import GUIDE_ROLE, RECORDED_ROLES


def metric_order(rows: Sequence[Row], protocol: Protocol) -> list[str]:
    """Metric ids of the comparable rows: the primary one first, an unbiased distance behind the biased one."""
    names = dict.fromkeys(
        name for row in rows if row.status == "finished" and not row.incomparable for name in row.cells
    )
    order = [protocol.metric, *(name for name in names if name != protocol.metric)]
    roles = {name: str(definition_of(name, rows).get("role")) for name in names}
    unbiased = [name for name in order[1:] if roles[name] == "distribution_unbiased"]
    others = [name for name in order if name not in unbiased]
    biased = [place for place, name in enumerate(others) if roles[name] == "distribution"]
    if not biased:
        return order
    place = biased[-1] + 1
    return [*others[:place], *unbiased, *others[place:]]


def headline_metrics(rows: Sequence[Row], protocol: Protocol) -> list[str]:
    """The primary metric, then those that stand for a role; the others are for the table of all settings."""
    order = metric_order(rows, protocol)
    named = {role: metric for row in rows for entry in row.records for role, metric in entry.record.roles.items()}
    # Records of version 1 name no metric for some roles.
    first = {str(definition_of(name, rows).get("role")): name for name in reversed(order)}
    standing = {named.get(role, first.get(role)) for role in (*RECORDED_ROLES, GUIDE_ROLE)}
    return [name for name in order if name == protocol.metric or name in standing]


def digits_of(name: str, rows: Sequence[Row]) -> int:
    """Digits behind the point that all comparable values of a metric share."""
    cells = [row.cells[name] for row in rows if name in row.cells and row.incomparable is None]
    return decimals(max((abs(cell.value) for cell in cells if cell.value is not None), default=0.0))


def heading(name: str, rows: Sequence[Row]) -> str:
    """Metric id with an arrow to its better side."""
    return f"{name} {ARROWS[direction_of(definition_of(name, rows))]}"


def definition_of(name: str, rows: Sequence[Row]) -> dict:
    """The metric's definition, from the first row that has it."""
    return next(row.cells[name].definition for row in rows if name in row.cells)


def baselines(rows: Sequence[Row]) -> list[Row]:
    """Finished baselines that can be compared."""
    return [row for row in rows if row.baseline and row.status == "finished" and row.incomparable is None]
