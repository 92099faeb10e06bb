"""Which metric decides a study: it is named before the run, and its records say so (conventions.md 7)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from src.leaderboard.definition import is_guides_view, metric_for
from src.settings.errors import UserError
from src.settings.metric_roles import DEFAULT_PRIMARY, RECORDED_ROLES
from src.tracking.records import Record, StoredRecord

_SUBSTITUTES = ("no_reference", "distribution_unbiased", "identity_to_input")
"""Roles that can decide where faces have no clean original, in the order in which they are taken."""


_SOURCES: dict[object, str] = {True: "the default", False: "named by the study before its runs"}
"""Who named the primary metric, by what a record says of its being the default."""


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

    What the records decide by but no finished one has measured, as on real photographs, is replaced by a metric that
    needs no original, and the source says so.

    Args:
        wanted: role or metric id; None leaves it to the records.

    Raises:
        UserError: `wanted` is neither a role nor a metric of these records, no finished record has measured it, or it is
            the view of a recogniser that guided.
    """
    finished = [entry.record for entry in records if entry.record.status == "finished"]
    if wanted is not None:
        _check(finished, wanted)
        return Primary(wanted, "named when the leaderboard was built", [])
    found = _named(records)
    if any(_deciding(record, found.name) for record in finished):
        return found
    return _substituted(found, finished)


def _deciding(record: Record, name: str) -> str | None:
    """The metric that `name` means, unless it is the view of the recogniser that guided."""
    metric = metric_for(record, name)
    measured = None if metric is None else record.metrics.get(metric)
    return None if measured is not None and is_guides_view(measured) else metric


def _substituted(primary: Primary, finished: Sequence[Record]) -> Primary:
    """What takes the place of a metric that was not measured; the same if nothing was."""
    all_values = ((name, value) for record in finished for name, value in record.metrics.items())
    values = [(name, value) for name, value in all_values if value.value is not None and not is_guides_view(value)]
    measured = {name for name, _ in values}
    is_guided = any(metric_for(record, primary.name) for record in finished)
    roles = ("identity", *_SUBSTITUTES) if is_guided else _SUBSTITUTES
    by_role = (role for role in roles if any(metric_for(record, role) in measured for record in finished))
    per_image = (name for name, value in values if value.interval is not None)
    name = next(chain(by_role, per_image, (name for name, _ in values)), None)
    if name is None:
        return primary
    why = "is the view of a recogniser that guided" if is_guided else "was not measured here"
    source = f"{primary.name} {why}; {name} takes its place"
    return Primary(name, source, primary.notes)


def _named(records: Sequence[StoredRecord]) -> Primary:
    ordered = sorted(records, key=lambda entry: entry.record.created, reverse=True)
    sources: dict[str, str] = {}
    for entry in ordered:
        name, source = _configured(entry)
        if name is not None:
            sources.setdefault(name, source)
    names = list(sources)
    if not names:
        return Primary(DEFAULT_PRIMARY, "the default: the records name none", [])
    notes = []
    if len(names) > 1:
        notes = [f"The records name several primary metrics ({', '.join(names)}); the newest decides: {names[0]}."]
    return Primary(names[0], sources[names[0]], notes)


def _configured(stored: StoredRecord) -> tuple[str | None, str]:
    """What the record was made to decide by, and who named it."""
    metrics = stored.record.config.get("metrics")
    if not isinstance(metrics, dict) or not metrics.get("primary"):
        return None, ""
    return str(metrics["primary"]), _SOURCES.get(metrics.get("primary_is_default"), "as the records name it")


def _check(finished: Sequence[Record], name: str) -> None:
    if not finished or any(_deciding(record, name) for record in finished):
        return
    study = repr(finished[0].study)
    if any(metric_for(record, name) for record in finished):
        raise UserError(
            f"primary: {name!r} is the view of a recogniser that guided in study {study}; take another metric, for example "
            "identity"
        )
    measured = sorted({metric for record in finished for metric in record.metrics})
    if not measured:
        raise UserError(
            f"primary: {name!r} was not measured in study {study}, nor was any other metric; evaluate again"
        )
    if name not in RECORDED_ROLES:
        raise UserError(
            f"primary: {name!r} is not one of {', '.join(RECORDED_ROLES)}, nor a metric of study "
            f"{study}; its metrics are {', '.join(measured)}"
        )
    known = [*sorted({role for record in finished for role in record.roles}), *measured]
    raise UserError(
        f"primary: {name!r} was not measured in study {study}; take one of {', '.join(dict.fromkeys(known))}"
    )
