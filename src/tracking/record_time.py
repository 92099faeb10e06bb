"""When a record was made, in the order in which the records of a study were, whatever the clock does meanwhile."""

from collections.abc import Iterator
from pathlib import Path

from src.checkpoints.plain_files import read_json
from src.checkpoints.stamps import later_stamp
from src.tracking.records import RECORD_NAME


def time_of_record(records: Path) -> str:
    """`Record.created` of a new record below the folder `records`: behind those of all that lie there."""
    return next(times_of_records(records))


def times_of_records(records: Path) -> Iterator[str]:
    """`time_of_record` of new records one after another, each when it is asked for; those that lie there are read once."""
    last = later_stamp(_created(path) for path in records.rglob(RECORD_NAME))
    while True:
        yield last
        last = later_stamp([last])


def _created(path: Path) -> str:
    try:
        return str(read_json(path)["created"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
