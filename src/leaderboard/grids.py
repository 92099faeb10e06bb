"""The grids of a leaderboard: ranking at best fidelities, all fidelities, single seeds, and what stands apart."""

from collections.abc import Sequence

from src.leaderboard.comparable import Protocol
from src.leaderboard.definition import ARROWS, direction_of
from src.leaderboard.ranking import placed
from src.leaderboard.render import Grid, decimals, number, with_interval
from src.leaderboard.row import Cell, Row

_LONGEST_NAME = 32


def ranking_grid(rows: Sequence[Row], protocol: Protocol) -> Grid:
    """One line an arm at its best fidelity, then the baselines; the primary metric stands first."""
    names = metric_order(rows, protocol)
    first, others = names[0], names[1:]
    headings = (
        "rank",
        "arm",
        "w",
        heading(first, rows),
        "to the best",
        *(heading(name, rows) for name in others),
        "Mparam",
        "evals",
        "s/image",
        "MB",
        "seeds",
    )
    digits = {name: digits_of(name, rows) for name in names}
    lines = [_ranking_line(row, digits) for row in [*placed(rows), *_baselines(rows)]]
    return Grid(headings, tuple(lines), keys=3)


def full_grid(rows: Sequence[Row], protocol: Protocol) -> Grid:
    """One line an arm and fidelity with every metric and its interval; baselines last."""
    names = metric_order(rows, protocol)
    shown = [*(row for row in rows if row.ranked), *_baselines(rows)]
    lines = [
        (
            _short(row.arm),
            fidelity_text(row),
            *(_cell_text(row.cells.get(name), digits_of(name, rows)) for name in names),
            str(row.n),
            _seeds(row),
        )
        for row in shown
    ]
    return Grid(("arm", "w", *(heading(name, rows) for name in names), "n", "seeds"), tuple(lines), keys=2)


def apart_grid(rows: Sequence[Row], metric: str | None) -> Grid | None:
    """Rows that failed or cannot be compared, with the reason; None if there are none."""
    apart = [row for row in rows if row.status == "failed" or row.incomparable]
    if not apart:
        return None
    lines = [
        (
            _short(row.arm),
            fidelity_text(row),
            "failed" if row.status == "failed" else "not comparable",
            _cell_text(row.cells.get(metric or "")),
            _seeds(row),
            row.reason or "",
        )
        for row in apart
    ]
    return Grid(("arm", "w", "status", metric or "value", "seeds", "reason"), tuple(lines), keys=6)


def seeds_grid(rows: Sequence[Row], protocol: Protocol) -> Grid | None:
    """The primary metric of every seed, with the range, for ranked rows of several seeds; None if there are none."""
    several = [row for row in rows if row.ranked and len(row.seeds) > 1]
    if not several:
        return None
    seeds = sorted({seed for row in several for seed in row.seeds})
    lines = []
    for row in several:
        cell = row.cells[protocol.metric]
        values = [cell.by_seed.get(seed) for seed in seeds]
        spread = f"{number(min(cell.by_seed.values()))} to {number(max(cell.by_seed.values()))}"
        lines.append((_short(row.arm), fidelity_text(row), number(cell.value), spread, *map(number, values)))
    headings = ("arm", "w", f"mean {heading(protocol.metric, rows)}", "range", *(f"seed {seed}" for seed in seeds))
    return Grid(headings, tuple(lines), keys=2)


def metric_order(rows: Sequence[Row], protocol: Protocol) -> list[str]:
    """Metric ids of the comparable rows, the primary one first."""
    names = dict.fromkeys(
        name for row in rows if row.status == "finished" and not row.incomparable for name in row.cells
    )
    return [protocol.metric, *(name for name in names if name != protocol.metric)]


def digits_of(name: str, rows: Sequence[Row]) -> int:
    """Digits behind the point that all comparable values of a metric share."""
    cells = [row.cells[name] for row in rows if name in row.cells and row.incomparable is None]
    return decimals(max((abs(cell.value) for cell in cells if cell.value is not None), default=0.0))


def heading(name: str, rows: Sequence[Row]) -> str:
    """Metric id with an arrow to its better side."""
    definition = next(row.cells[name].definition for row in rows if name in row.cells)
    return f"{name} {ARROWS[direction_of(definition)]}"


def fidelity_text(row: Row) -> str:
    """`0.5`, or an en dash for a restorer without the knob."""
    return f"{row.fidelity:g}" if row.has_knob else "–"


def _baselines(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.baseline and row.status == "finished" and row.incomparable is None]


def _ranking_line(row: Row, digits: dict[str, int]) -> tuple[str, ...]:
    """`digits` behind the point by metric id, the primary one first."""
    first, *others = digits
    return (
        _rank_text(row),
        _short(row.arm),
        fidelity_text(row),
        _cell_text(row.cells.get(first), digits[first]),
        _to_best(row, digits[first]),
        *(number(row.cells[name].value, digits[name]) if name in row.cells else "–" for name in others),
        *_cost_texts(row),
        _seeds(row),
    )


def _rank_text(row: Row) -> str:
    if row.baseline:
        return "base"
    if row.standing is None or row.standing.rank is None:
        return "–"
    return f"{row.standing.rank}{'=' if row.standing.tied else ''}"


def _to_best(row: Row, digits: int) -> str:
    difference = row.standing.to_best if row.standing else None
    if difference is None:
        return ""
    return with_interval(difference.mean, (difference.low, difference.high), digits)


def _cell_text(cell: Cell | None, digits: int | None = None) -> str:
    if cell is None:
        return "–"
    failures = f" ({cell.failures} failed)" if cell.failures else ""
    return with_interval(cell.value, cell.interval, digits) + failures


def _cost_texts(row: Row) -> tuple[str, str, str, str]:
    cost = row.cost
    if cost is None:
        return ("–", "–", "–", "–")
    memory = "–" if cost.peak_memory_mb is None else f"{cost.peak_memory_mb:.0f}"
    return f"{cost.parameters / 1e6:.2f}", str(cost.network_evaluations), f"{cost.seconds_per_image:.3g}", memory


def _seeds(row: Row) -> str:
    return ",".join(map(str, row.seeds))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
