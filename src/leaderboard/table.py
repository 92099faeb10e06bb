"""The table of a leaderboard: records grouped to rows, checked for comparability, ranked."""

from collections.abc import Sequence

from src.leaderboard.comparable import difference, protocol_of
from src.leaderboard.ranking import with_standings
from src.leaderboard.row import Row, cells_of
from src.metrics.statistics import RESAMPLES
from src.tracking.records import StoredRecord

Group = tuple[str, float | None, str, bool, str | None]
"""Arm, fidelity, status, baseline, and why it cannot be compared."""


def build_rows(records: Sequence[StoredRecord], primary: str, resamples: int = RESAMPLES, seed: int = 0) -> list[Row]:
    """Rows in the order arm, fidelity; the best row of every arm that can be ranked has a standing.

    Args:
        primary: role whose metric decides.
        resamples, seed: of the bootstrap.

    Raises:
        UserError: no finished record has a metric for the role `primary`.
    """
    protocol = protocol_of(records, primary)
    groups: dict[Group, list[StoredRecord]] = {}
    for stored in records:
        record = stored.record
        failed = protocol is None or record.status != "finished"
        why = None if failed or protocol is None else difference(stored, protocol, primary)
        group = (record.arm, record.fidelity, record.status, record.baseline, why)
        groups.setdefault(group, []).append(stored)
    rows = sorted((_row(group, entries, resamples, seed) for group, entries in groups.items()), key=_place)
    return rows if protocol is None else with_standings(rows, protocol, resamples, seed)


def _row(group: Group, records: Sequence[StoredRecord], resamples: int, seed: int) -> Row:
    arm, fidelity, status, baseline, why = group
    return Row(arm, fidelity, status, baseline, why, tuple(records), cells_of(records, resamples, seed))


def _place(row: Row) -> tuple[str, float, str]:
    return row.arm, -1.0 if row.fidelity is None else row.fidelity, row.incomparable or ""
