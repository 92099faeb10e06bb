"""A figure of a whole study, with what it says in words and numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from src.leaderboard.render import Grid


@dataclass(frozen=True)
class StudyFigure:
    """One figure over all benchmarks of a study."""

    file: str
    """Name of the PNG file."""
    heading: str
    caption: str
    """How to read it."""
    readings: tuple[str, ...]
    """What it shows, in sentences."""
    grid: Grid
    """Its numbers."""
    draw: Callable[[], bytes]
    """Makes the PNG."""

    @cached_property
    def png(self) -> bytes:
        """The picture as PNG."""
        return self.draw()
