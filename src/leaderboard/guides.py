"""Nobody is judged by the recogniser that guided: who guided, and who judges instead (clr_face.md 7)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from src.leaderboard.definition import metric_for
from src.settings.metric_roles import GUIDE_ROLE, role_under
from src.tracking.records import MetricValue, Record, StoredRecord

_NETWORKS = ("guide", "guide_recogniser", "recogniser")
"""Names of recognisers among the networks of a record, after the last slash. They trained the method or guide it: one that
only measures is in no `weights`, but in the definitions of its metrics."""


def guides_of(weights: Mapping[str, str]) -> frozenset[str]:
    """SHA-256 of the recognisers among a record's networks."""
    return frozenset(sha256 for name, sha256 in weights.items() if name.rpartition("/")[2] in _NETWORKS)


def judged_alike(records: Sequence[StoredRecord]) -> tuple[list[StoredRecord], list[str]]:
    """The records of one study with one judge, and a sentence for every metric that may not judge them.

    All rows must be judged by one metric, and none by the recogniser that guided it. So a metric of identity whose network
    guided any of the records plays `identity_guide` in each of them, and the first other one that a record has takes its
    role. Without another, no metric plays it: what is decided by identity then stands apart, or is decided otherwise.
    """
    finished = [entry.record for entry in records if entry.record.status == "finished"]
    guides = frozenset().union(*(guides_of(record.weights) for record in finished))
    judged = [replace(entry, record=_judged(entry.record, guides)) for entry in records]
    return judged, _sentences(finished, [entry.record for entry in judged if entry.record.status == "finished"])


def _judged(record: Record, guides: Collection[str]) -> Record:
    metrics = {name: _seen(measured, guides) for name, measured in record.metrics.items()}
    lost = {role for role, name in record.roles.items() if name in metrics and metrics[name] != record.metrics[name]}
    if metrics == record.metrics:
        return record
    kept = {role: name for role, name in record.roles.items() if role not in lost}
    played = {str(measured.definition.get("role")): name for name, measured in reversed(metrics.items())}
    filled = {role: played[role] for role in (*lost, GUIDE_ROLE) if role in played}
    return replace(record, metrics=metrics, roles=filled | kept)


def _seen(measured: MetricValue, guides: Collection[str]) -> MetricValue:
    definition = measured.definition
    own = str(definition.get("role"))
    role = role_under(guides, own, definition.get("extractor_sha256"))
    return measured if role == own else replace(measured, definition=definition | {"role": role})


def _sentences(before: Sequence[Record], after: Sequence[Record]) -> list[str]:
    """One for every metric that measured identity and may not stand for it."""
    found: dict[str, str] = {}
    for old, new in zip(before, after, strict=True):
        for name, measured in old.metrics.items():
            if measured.definition.get("role") == "identity" and new.metrics[name] != measured:
                found[name] = str(measured.definition["extractor_sha256"])
    judges = dict.fromkeys(judge for record in after if (judge := metric_for(record, "identity")) is not None)
    instead = f"identity is judged by {', '.join(judges)}" if judges else "no other recogniser measured these records"
    return [
        f"{name} is the view of the recogniser that guided {_guided_by(sha256, before)}: no row is judged by it; {instead}."
        for name, sha256 in found.items()
    ]


def _guided_by(sha256: str, records: Sequence[Record]) -> str:
    return ", ".join(sorted({record.arm for record in records if sha256 in guides_of(record.weights)}))
