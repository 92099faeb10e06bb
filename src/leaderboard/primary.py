"""Which metric decides a study: it is named before the run, and its records say so (conventions.md 7)."""

from collections.abc import Sequence
from dataclasses import dataclass

from src.leaderboard.definition import metric_for
from src.settings.errors import UserError
from src.settings.metric_roles import RECORDED_ROLES
from src.tracking.records import StoredRecord

DEFAULT_ROLE = "perceptual"


@dataclass(frozen=True)
class Primary:
    """The deciding metric of a study."""

    name: str
    """Role or metric id."""
    source: str
    """Who named it, as shown."""
    notes: list[str]


def primary_of(records: Sequence[StoredRecord], wanted: str | None) -> Primary:
    """`wanted`, or what the newest record of the study was made to decide by, or the perceptual metric.

    Args:
        wanted: role or metric id; None leaves it to the records.

    Raises:
        UserError: it is neither a role nor a metric of these records, or no finished record has measured it.
    """
    found = _given(wanted) if wanted is not None else _named(records)
    _check(records, found.name)
    return found


def _given(wanted: str) -> Primary:
    return Primary(wanted, "named when the leaderboard was built", [])


def _named(records: Sequence[StoredRecord]) -> Primary:
    ordered = sorted(records, key=lambda entry: entry.record.created, reverse=True)
    names = list(dict.fromkeys(name for entry in ordered if (name := _configured(entry)) is not None))
    if not names:
        return Primary(DEFAULT_ROLE, "the default: the records name none", [])
    notes = []
    if len(names) > 1:
        notes = [f"The records name several primary metrics ({', '.join(names)}); the newest decides: {names[0]}."]
    return Primary(names[0], "named by the study before its runs", notes)


def _configured(stored: StoredRecord) -> str | None:
    metrics = stored.record.config.get("metrics")
    name = metrics.get("primary") if isinstance(metrics, dict) else None
    return str(name) if name else None


def _check(records: Sequence[StoredRecord], name: str) -> None:
    finished = [entry.record for entry in records if entry.record.status == "finished"]
    if not finished or any(metric_for(record, name) for record in finished):
        return
    if name not in RECORDED_ROLES:
        measured = sorted({metric for record in finished for metric in record.metrics})
        raise UserError(
            f"primary: {name!r} is not one of {', '.join(RECORDED_ROLES)}, nor a metric of study "
            f"{finished[0].study!r}; its metrics are {', '.join(measured) or 'none'}"
        )
    roles = sorted({role for record in finished for role in record.roles})
    raise UserError(
        f"primary: {name!r} was not measured in study {finished[0].study!r}; take one of {', '.join(roles)}"
    )
