"""The texts of single cells."""

from src.leaderboard.render import number, with_interval
from src.leaderboard.row import Cell, Row
from src.metrics.statistics import Interval

EMPTY = "–"
_LONGEST_NAME = 32


def rank_text(row: Row) -> str:
    """`1`, `2=` for a tie, `base` for a baseline, a dash where no rank can be claimed."""
    if row.baseline:
        return "base"
    if row.standing is None or row.standing.rank is None:
        return EMPTY
    return f"{row.standing.rank}{'=' if row.standing.tied else ''}"


def to_best_text(row: Row, digits: int) -> str:
    """Paired difference to the first arm, empty for the first."""
    difference = row.standing.to_best if row.standing else None
    return "" if difference is None else interval_text(difference, digits)


def value_text(cell: Cell | None, digits: int | None = None) -> str:
    """The value alone, or why it is refused."""
    if cell is None:
        return EMPTY
    return f"refused: {cell.refused}" if cell.refused else number(cell.value, digits)


def cell_text(cell: Cell | None, digits: int | None = None) -> str:
    """The value with its interval and its failures, or why it is refused."""
    if cell is None or cell.refused:
        return value_text(cell)
    failures = f" ({cell.failures} failed)" if cell.failures else ""
    return with_interval(cell.value, cell.interval, digits) + failures


def interval_text(interval: Interval | None, digits: int) -> str:
    """Mean and bounds; the bounds are left out where there are none."""
    if interval is None or interval.n == 0:
        return EMPTY
    bounds = (interval.low, interval.high) if interval.low == interval.low else None
    return with_interval(interval.mean, bounds, digits)


def cost_texts(row: Row) -> tuple[str, str, str, str]:
    """Million parameters, network evaluations, seconds an image and peak memory in MB."""
    cost = row.cost
    if cost is None:
        return (EMPTY, EMPTY, EMPTY, EMPTY)
    memory = EMPTY if cost.peak_memory_mb is None else f"{cost.peak_memory_mb:.0f}"
    return f"{cost.parameters / 1e6:.2f}", str(cost.network_evaluations), f"{cost.seconds_per_image:.3g}", memory


def seeds_text(row: Row) -> str:
    """The seeds, joined."""
    return ",".join(map(str, row.seeds))


def short(name: str) -> str:
    """An arm's name, cut if long."""
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
