"""The grids of a ranking: best settings, all settings, worst faces, severity, seeds, and what stands apart."""

from collections.abc import Sequence

from src.leaderboard.cells import (
    EMPTY,
    cell_text,
    cost_texts,
    interval_text,
    rank_text,
    seeds_text,
    short,
    to_best_text,
    value_text,
)
from src.leaderboard.columns import baselines, digits_of, heading, headline_metrics, metric_order
from src.leaderboard.comparable import Protocol
from src.leaderboard.knobs import in_order
from src.leaderboard.ranking import placed
from src.leaderboard.render import Grid, number
from src.leaderboard.row import Row
from src.leaderboard.setting import setting_cell, setting_heading
from src.leaderboard.severity import SeverityCurve
from src.metrics.statistics import Interval

COST_HEADINGS = ("Mparam", "evals", "s/image", "MB")


def ranking_grid(rows: Sequence[Row], protocol: Protocol) -> Grid:
    """One line an arm at its best setting, then the baselines: the primary metric, and one for every role."""
    names = headline_metrics(rows, protocol)
    first, others = names[0], names[1:]
    setting = setting_heading(rows)
    headings = (
        *("rank", "arm", setting, heading(first, rows), "to the best", "seeds"),
        *(heading(name, rows) for name in others),
        *COST_HEADINGS,
    )
    digits = {name: digits_of(name, rows) for name in names}
    lines = [
        (
            rank_text(row),
            short(row.arm),
            setting_cell(row, setting),
            cell_text(row.cells.get(first), digits[first]),
            to_best_text(row, digits[first]),
            seeds_text(row),
            *(value_text(row.cells.get(name), digits[name]) for name in others),
            *cost_texts(row),
        )
        for row in [*placed(rows), *baselines(rows)]
    ]
    return Grid(headings, tuple(lines), keys=3)


def full_grid(rows: Sequence[Row], protocol: Protocol) -> Grid:
    """One line an arm and setting with every metric and its interval; baselines last."""
    names = metric_order(rows, protocol)
    setting = setting_heading(rows)
    lines = [
        (
            short(row.arm),
            setting_cell(row, setting),
            *(cell_text(row.cells.get(name), digits_of(name, rows)) for name in names),
            str(row.n),
            seeds_text(row),
        )
        for row in [*(row for row in rows if row.ranked), *baselines(rows)]
    ]
    return Grid(("arm", setting, *(heading(name, rows) for name in names), "n", "seeds"), tuple(lines), keys=2)


def worst_grid(rows: Sequence[Row], protocol: Protocol) -> Grid | None:
    """The mean over the worst tenth of the faces with its interval, of every per-image metric; None without any.

    One line an arm at its best setting, then the baselines.
    """
    shown = [*placed(rows), *baselines(rows)]
    having = [name for name in metric_order(rows, protocol) if any(_worst(row, name) for row in shown)]
    if not having:
        return None
    setting = setting_heading(rows)
    lines = [
        (
            short(row.arm),
            setting_cell(row, setting),
            *(interval_text(_worst(row, name), digits_of(name, rows)) for name in having),
        )
        for row in shown
    ]
    return Grid(("arm", setting, *(heading(name, rows) for name in having)), tuple(lines), keys=2)


def severity_grid(curves: Sequence[SeverityCurve], rows: Sequence[Row]) -> Grid | None:
    """The means of one metric in bins of severity, with intervals and number of faces; None without curves.

    Args:
        curves: of one group of `by_scale`.
    """
    if not curves:
        return None
    bins = sorted({(entry.low, entry.high) for curve in curves for entry in curve.bins})
    digits = digits_of(curves[0].metric, rows)
    lines = []
    for curve in curves:
        known = {(entry.low, entry.high): entry.interval for entry in curve.bins}
        texts = (
            f"{interval_text(known[place], digits)} (n={known[place].n})" if place in known else EMPTY for place in bins
        )
        lines.append((short(curve.arm), curve.setting, *texts))
    return Grid(("arm", "setting", *(f"{low:g} to {high:g}" for low, high in bins)), tuple(lines), keys=2)


def apart_grid(rows: Sequence[Row]) -> Grid | None:
    """Rows that failed or cannot be compared, with the reason; None if there are none."""
    if not rows:
        return None
    setting = setting_heading(rows)
    lines = [
        (
            short(row.arm),
            setting_cell(row, setting),
            "failed" if row.status == "failed" else "not comparable",
            seeds_text(row),
            row.reason or "",
        )
        for row in rows
    ]
    return Grid(("arm", setting, "status", "seeds", "reason"), tuple(lines), keys=5)


def seeds_grid(rows: Sequence[Row], protocol: Protocol) -> Grid | None:
    """The primary metric of every seed, with the range, for ranked rows of several seeds; None if there are none."""
    several = [row for row in rows if row.ranked and len(row.seeds) > 1]
    if not several:
        return None
    seeds = in_order(seed for row in several for seed in row.seeds)
    setting = setting_heading(rows)
    lines = []
    for row in several:
        cell = row.cells[protocol.metric]
        values = [cell.by_seed.get(seed) for seed in seeds]
        found = cell.by_seed.values()
        spread = f"{number(min(found))} to {number(max(found))}" if found else EMPTY
        lines.append((short(row.arm), setting_cell(row, setting), number(cell.value), spread, *map(number, values)))
    headings = ("arm", setting, f"mean {heading(protocol.metric, rows)}", "range", *(f"seed {seed}" for seed in seeds))
    return Grid(headings, tuple(lines), keys=2)


def _worst(row: Row, name: str) -> Interval | None:
    return row.cells[name].worst_decile if name in row.cells else None
