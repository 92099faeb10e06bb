"""Grids of text as a terminal table and as Markdown."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

TERMINAL_WIDTH = 120
_GAP = "  "


@dataclass(frozen=True)
class Grid:
    """Headings and rows of text; the first `keys` columns name a row and are repeated when a grid is split."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    keys: int = 1


def terminal(grid: Grid, width: int = TERMINAL_WIDTH) -> str:
    """Aligned plain text; columns that do not fit into `width` follow in further tables with the same key columns."""
    return "\n\n".join(_aligned(grid, columns) for columns in _split(grid, width))


def wrapped(lines: Sequence[str], width: int = TERMINAL_WIDTH) -> str:
    """Each line broken at `width`, its continuation indented."""
    return "\n".join(textwrap.fill(line, width, subsequent_indent="  ") for line in lines)


def markdown(grid: Grid) -> str:
    """A Markdown table; numbers are aligned to the right."""
    names = ["---"] * grid.keys + ["---:"] * (len(grid.headings) - grid.keys)
    lines = [grid.headings, tuple(names), *grid.rows]
    return "\n".join("| " + " | ".join(_escaped(cell) for cell in line) + " |" for line in lines)


def number(value: float | None, digits: int | None = None) -> str:
    """About four significant digits, or `digits` behind the point; an en dash for a missing value."""
    return "–" if value is None else f"{value:.{decimals(value) if digits is None else digits}f}"


def decimals(largest: float) -> int:
    """Digits behind the point for numbers up to `largest`, so that a column has four significant ones at most."""
    size = abs(largest)
    bounds = (100, 10, 1, 0.1, 0.01)
    return next((digits for digits, bound in enumerate(bounds, start=1) if size >= bound), 4 if size == 0 else 6)


def with_interval(value: float | None, interval: tuple[float, float] | None, digits: int | None = None) -> str:
    """`0.2312 [0.2201, 0.2423]`."""
    if value is None or interval is None:
        return number(value, digits)
    if digits is None:
        digits = decimals(max(abs(value), abs(interval[0]), abs(interval[1])))
    return f"{value:.{digits}f} [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"


def prose(text: str) -> str:
    """A text for Markdown, in which names of others make neither elements, links nor pictures, nor begin a line."""
    return (
        text.replace("\n", " ").replace("&", "&amp;").replace("<", "&lt;").replace("](", "]\\(").replace("![", "!\\[")
    )


def _escaped(cell: str) -> str:
    return prose(cell).replace("|", "\\|")


def _widths(grid: Grid) -> list[int]:
    return [max(map(len, column)) for column in zip(grid.headings, *grid.rows, strict=True)]


def _split(grid: Grid, width: int) -> list[list[int]]:
    widths = _widths(grid)
    keys = list(range(grid.keys))
    base = sum(widths[index] + len(_GAP) for index in keys)
    tables, used = [list(keys)], base
    for index in range(grid.keys, len(widths)):
        if used + widths[index] > width and len(tables[-1]) > grid.keys:
            tables.append(list(keys))
            used = base
        tables[-1].append(index)
        used += widths[index] + len(_GAP)
    return tables


def _aligned(grid: Grid, columns: Sequence[int]) -> str:
    widths = _widths(grid)

    def line(cells: Sequence[str]) -> str:
        shown = (
            cells[index].ljust(widths[index]) if index < grid.keys else cells[index].rjust(widths[index])
            for index in columns
        )
        return _GAP.join(shown).rstrip()

    rule = _GAP.join("-" * widths[index] for index in columns)
    return "\n".join([line(grid.headings), rule, *(line(row) for row in grid.rows)])
