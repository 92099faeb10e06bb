"""Which records of a study count: those of each arm's newest run, and a failure until a success follows."""

from collections.abc import Iterable, Sequence

from src.leaderboard.knobs import setting_of
from src.tracking.records import Knob, Record, StoredRecord


def newest(records: Sequence[StoredRecord]) -> tuple[list[StoredRecord], list[str]]:
    """The records that count, and a sentence for each arm of which runs were left out.

    Of the runs with the same arm, setting, seed and benchmark, the newest counts at all its fidelities, so that no curve
    is patched together from two runs. Baselines are measured again by many runs: their newest record counts.
    """
    ordered = sorted((entry for entry in records if entry.record.status == "finished"), key=_created)
    latest = {_run_key(entry.record): entry.record.identity for entry in ordered}
    finished: dict[tuple, StoredRecord] = {}
    left_out: dict[str, set[str]] = {}
    for stored in ordered:
        record = stored.record
        if latest[_run_key(record)] == record.identity:
            finished[(*_run_key(record), record.fidelity)] = stored
        elif not record.baseline:
            left_out.setdefault(record.arm, set()).add(record.run)
    notes = [
        f"{arm}: several runs have this label and seed; the newest counts, not {', '.join(sorted(runs))}."
        for arm, runs in sorted(left_out.items())
    ]
    return [*finished.values(), *_failures(records)], notes


def _failures(records: Iterable[StoredRecord]) -> list[StoredRecord]:
    last: dict[tuple, StoredRecord] = {}
    for stored in sorted(records, key=_created):
        last[stored.record.arm, *_seeds(stored.record)] = stored
    return [stored for stored in last.values() if stored.record.status == "failed"]


def _created(stored: StoredRecord) -> str:
    return stored.record.created


def _run_key(record: Record) -> tuple:
    benchmark = str(record.benchmark.get("hash"))
    return record.arm, setting_of(record), *_seeds(record), record.baseline, benchmark


def _seeds(record: Record) -> tuple[int, Knob]:
    return record.seed, record.knobs.get("seed")
