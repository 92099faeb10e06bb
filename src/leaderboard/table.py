"""The rows of one benchmark: records grouped by arm and setting, checked for comparability, ranked."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from src.leaderboard.arm_label import arm_label
from src.leaderboard.comparable import Protocol, difference, lacking, protocol_of
from src.leaderboard.definition import is_biased
from src.leaderboard.knobs import Setting, setting_of, varied
from src.leaderboard.ranking import with_standings
from src.leaderboard.row import Cell, Row, cells_of
from src.metrics.statistics import RESAMPLES
from src.settings.errors import UserError
from src.tracking.records import StoredRecord

Group = tuple[str, float | None, Setting, str, bool, str | None]
"""Arm, fidelity, other knobs, status, baseline, and why it cannot be compared."""


def build_rows(records: Sequence[StoredRecord], primary: str, resamples: int = RESAMPLES, seed: int = 0) -> list[Row]:
    """Rows in the order arm, setting; the best row of every arm that can be ranked has a standing.

    Args:
        records: of one benchmark, and failed ones.
        primary: role or metric id that decides.
        resamples, seed: of the bootstrap.

    Raises:
        UserError: `primary` is a Fréchet distance, and stands on another number of faces in some rows.
    """
    protocol = protocol_of(records, primary)
    groups: dict[Group, list[StoredRecord]] = defaultdict(list)
    for stored in records:
        record = stored.record
        why = _why_apart(stored, protocol, primary)
        group = (arm_label(record), record.fidelity, setting_of(record), record.status, record.baseline, why)
        groups[group].append(stored)
    rows = sorted((_row(group, entries, resamples, seed) for group, entries in groups.items()), key=_place)
    rows = _with_varied(rows)
    if protocol is None:
        return rows
    rows = [_with_refusals(row, protocol) for row in rows]
    _refuse_unequal(rows, protocol)
    return with_standings(rows, protocol, resamples, seed)


def _why_apart(stored: StoredRecord, protocol: Protocol | None, primary: str) -> str | None:
    if stored.record.status != "finished":
        return None
    if protocol is None:
        return lacking(stored.record) or f"{primary} was not measured"
    return difference(stored, protocol, primary)


def _row(group: Group, records: Sequence[StoredRecord], resamples: int, seed: int) -> Row:
    arm, fidelity, setting, status, baseline, why = group
    cells = cells_of(records, resamples, seed)
    return Row(arm, fidelity, status, baseline, why, tuple(records), cells, setting)


def _with_varied(rows: Sequence[Row]) -> list[Row]:
    settings: dict[str, list[Setting]] = defaultdict(list)
    for row in rows:
        settings[row.arm].append(row.setting)
    return [replace(row, varied=varied(settings[row.arm])) for row in rows]


def _with_refusals(row: Row, protocol: Protocol) -> Row:
    cells = {name: replace(cell, refused=_refusal(name, cell, protocol)) for name, cell in row.cells.items()}
    return replace(row, cells=cells)


def _refusal(name: str, cell: Cell, protocol: Protocol) -> str | None:
    usual = protocol.measured.get(name)
    if usual is None or not is_biased(usual) or cell.n == usual.n:
        return None
    return f"n={cell.n}, not {usual.n}"


def _refuse_unequal(rows: Sequence[Row], protocol: Protocol) -> None:
    name = protocol.metric
    refused = [row for row in rows if row.ranked and name in row.cells and row.cells[name].refused]
    if refused:
        named = ", ".join(f"{row.arm}: {row.cells[name].refused}" for row in refused)
        raise UserError(
            f"primary: {name} depends on the number of faces, which is not the same in all rows ({named}); "
            "take primary=distribution_unbiased"
        )


def _place(row: Row) -> tuple[str, float, tuple, str]:
    return row.arm, -1.0 if row.fidelity is None else row.fidelity, _natural(row.setting), row.incomparable or ""


def _natural(setting: Setting) -> tuple:
    """Numbers in their own order, before words."""
    return tuple((name, *_key(value)) for name, value in setting)


def _key(text: str) -> tuple[bool, float, str]:
    try:
        return False, float(text), text
    except ValueError:
        return True, 0.0, text
