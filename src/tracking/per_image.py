"""Reading of the per-image table of a record."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.checkpoints.plain_files import LARGEST
from src.settings.errors import UserError

if TYPE_CHECKING:
    import pandas

FACE_COLUMN = "name"
"""Column of the per-image table that names the face; every other column but `severity` is named by a metric id."""
MOST_VALUES = 2**26
"""Rows times columns; a few packed bytes can stand for any number of equal values."""


def read_per_image(path: Path) -> "pandas.DataFrame":
    """The table in a Parquet file: texts in `FACE_COLUMN`, each once, and numbers (NaN where a face failed) in every other.

    Raises:
        UserError: it cannot be read, is too large, or holds something else.
    """
    import pandas
    from pyarrow import parquet

    try:
        _check_size(parquet.read_metadata(path))
        table = pandas.read_parquet(path)
    except Exception as error:  # a broken file can raise nearly anything inside the readers
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"{path}: unreadable ({lines[0][:200]}); evaluate this run again") from None
    if problem := _problem(table):
        raise UserError(f"{path}: unreadable ({problem}); evaluate this run again")
    return table


def _check_size(told: Any) -> None:
    """Raises ValueError where the parts do not add up to a whole of bounded size: the reader believes each of them."""
    if told.num_rows * told.num_columns > MOST_VALUES:
        raise ValueError(f"it has {told.num_rows:,} rows")
    groups = [told.row_group(number) for number in range(told.num_row_groups)]
    if sum(group.num_rows for group in groups) != told.num_rows or any(group.num_rows < 0 for group in groups):
        raise ValueError(f"its parts do not have the {told.num_rows:,} rows of the whole")
    # A damaged description of a single column ends the process when it is asked for, so that these are left alone.
    if sum(group.total_byte_size for group in groups) > LARGEST:
        raise ValueError(f"it unpacks to more than {LARGEST:,} bytes")


def _problem(table: "pandas.DataFrame") -> str | None:
    from pandas.api.types import is_numeric_dtype

    if FACE_COLUMN not in table.columns or table.columns.duplicated().any():
        return f"it has no column {FACE_COLUMN!r}, or another one twice"
    names = table[FACE_COLUMN]
    if not names.map(lambda name: isinstance(name, str)).all() or names.duplicated().any():
        return f"its column {FACE_COLUMN!r} does not name every face once"
    others = [column for column in table.columns if column != FACE_COLUMN]
    wrong = next((column for column in others if not is_numeric_dtype(table[column])), None)
    return None if wrong is None else f"its column {wrong!r} holds no numbers"
