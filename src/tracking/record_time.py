"""When a record was made, in the order in which the records of a study were, whatever the clock does meanwhile."""

import json
from pathlib import Path

from src.checkpoints.stamps import later_stamp
from src.tracking.records import RECORD_NAME


def time_of_record(records: Path) -> str:
    """`Record.created` of a new record below the folder `records`: behind those of all that lie there."""
    return later_stamp(_created(path) for path in records.rglob(RECORD_NAME))


def _created(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["created"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
