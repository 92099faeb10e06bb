"""The faces that every ranked row could be measured on: means over different faces do not compare methods."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from src.leaderboard.row import Row, per_image_values
from src.metrics.statistics import Interval, paired_bootstrap


@dataclass(frozen=True)
class CommonFaces:
    """Per-image values of one metric where no row failed."""

    values: pd.DataFrame
    """A line a face, a column a ranked row, named by its place among all rows."""
    total: int
    """Faces that any of these rows was given."""
    failures: dict[str, int]
    """By arm: faces that it failed on, at one setting or seed at least; arms without a failure are left out."""

    def mean(self, place: int) -> float:
        """Mean of a row; NaN without a common face."""
        return float(self.values[place].mean())

    def difference(self, a: int, b: int, resamples: int, seed: int) -> Interval:
        """Paired interval of row `a` minus row `b`."""
        first, second = (self.values[place].to_numpy(dtype=np.float64) for place in (a, b))
        return paired_bootstrap(first, second, resamples, seed)


def ranked_places(rows: Sequence[Row], metric: str) -> list[int]:
    """Places of the rows that can be ordered by a metric: they have a value, and it is not refused."""
    return [
        place
        for place, row in enumerate(rows)
        if row.ranked and (cell := row.cells.get(metric)) is not None and cell.value is not None and not cell.refused
    ]


def common_faces(rows: Sequence[Row], metric: str) -> CommonFaces | None:
    """The common faces of the rows that can be ordered; None if one of them has no per-image values, or without any."""
    columns = {place: per_image_values(rows[place].records, metric) for place in ranked_places(rows, metric)}
    if not columns or any(column.empty for column in columns.values()):
        return None
    table = pd.concat(columns, axis=1)
    failed: dict[str, pd.Series] = {}
    for place in columns:
        arm = rows[place].arm
        failed[arm] = table[place].isna() | failed.get(arm, False)
    counts = {arm: int(missing.sum()) for arm, missing in failed.items()}
    return CommonFaces(table.dropna(), len(table), {arm: count for arm, count in counts.items() if count})


def common_faces_note(found: CommonFaces) -> list[str]:
    """Over how many faces arms are ordered, and which arms failed on the others; empty if none failed."""
    if not found.failures:
        return []
    failed = ", ".join(f"{arm} failed on {count}" for arm, count in found.failures.items())
    if found.values.empty:
        return [f"None of the {found.total} faces could be measured in every arm: no rank is claimed; {failed}."]
    return [
        f"Order and ranks are over the {len(found.values)} of {found.total} faces that every arm could be measured on; "
        f"{failed}. Values in the tables are over the faces of each row."
    ]
