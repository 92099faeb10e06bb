"""What is shown of one study: a ranking for every benchmark, and the rows that stand apart."""

from dataclasses import dataclass, field

from src.leaderboard.comparable import Protocol
from src.leaderboard.frontier import Frontier
from src.leaderboard.row import Row
from src.leaderboard.severity import SeverityCurve
from src.leaderboard.study_figure import StudyFigure


@dataclass(frozen=True)
class Ranking:
    """The rows that were measured on the same faces by the same definitions."""

    protocol: Protocol
    rows: list[Row]
    """In the order arm, setting; baselines included. The best row of every arm has a standing."""
    verdict: str
    """The winner, or the tie, on the primary metric."""
    notes: list[str]
    missing: dict[str, str]
    """Metric id to the sentence that says why it was not measured, and for which arms if not for all."""
    frontier: Frontier | None
    severity: list[SeverityCurve]
    curve: str | None
    """File name of the figure over the fidelity weight."""
    frontier_figure: str | None
    """File name of the figure of the frontier."""
    recipe: str | None = None
    """Which arms were trained on the benchmark's degradations; None where the study does not compare that."""


@dataclass(frozen=True)
class StudyTable:
    """One study."""

    study: str
    question: str
    rankings: list[Ranking]
    """One a benchmark, that with most records first."""
    apart: list[Row]
    """Rows that failed, lack provenance or were measured by other definitions than most of their benchmark."""
    primary: str
    """Role or metric id that decides."""
    primary_source: str
    """Who named it."""
    notes: list[str]
    """About the study as a whole: which runs were replaced by newer ones, and disagreement about the primary metric."""
    figures: list[StudyFigure] = field(default_factory=list)
    """Over all benchmarks."""
