"""Quality against network evaluations: which settings are joined, and the shortest chain that will do."""

import pytest

from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.evaluations_curve import SolverLines, solver_lines
from src.tracking.records import StoredRecord
from tests.leaderboard.conftest import MakeRecord
from tests.leaderboard.difface_study import Quality, setting

Chain = tuple[str, int, int]
"""Solver, start, steps."""


def _lines(make: MakeRecord, chains: dict[Chain, float]) -> list[SolverLines]:
    """Of chains with this perceptual value, on one benchmark."""
    records: list[StoredRecord] = [
        setting(make, "swinir", "gfpgan", "difface_backbone", {}, Quality(1.0, 0.5, 0.8, 30.0))
    ]
    for (solver, start, steps), lpips in chains.items():
        knobs = {"solver": solver, "start": start, "steps": steps}
        records.append(setting(make, "swinir", "gfpgan", "difface", knobs, Quality(1.0, lpips, 0.7, 20.0)))
    (table,) = study_tables(records, Choices(resamples=200))
    return solver_lines(table.rankings, 500, 0)


def test_one_line_a_solver_at_the_start_measured_most(make: MakeRecord) -> None:
    chains = {("ddim", 400, steps): 0.2 for steps in (100, 10)} | {("unipc", 400, 5): 0.2, ("ddim", 200, 10): 0.2}
    (found,) = _lines(make, chains)
    assert [(line.fixed, [point.at for point in line.points]) for line in found.lines] == [
        (("start 400", "ddim"), [11, 101]),
        (("start 400", "unipc"), [6]),
    ]


@pytest.mark.parametrize(
    ("chains", "drawn"),
    [
        ([("ddim", 5), ("ddim", 10), ("ddim", 20)], True),
        ([("ddim", 5), ("unipc", 10)], True),
        ([("ddim", 5), ("ddim", 10)], False),
        ([("ddim", 10), ("unipc", 10)], False),
    ],
)
def test_two_solvers_or_three_counts_make_a_sweep(make: MakeRecord, chains: list[tuple[str, int]], drawn: bool) -> None:
    assert bool(_lines(make, {(solver, 400, steps): 0.2 for solver, steps in chains})) is drawn


def test_the_shortest_chain_is_the_one_that_the_paired_interval_does_not_show_worse(make: MakeRecord) -> None:
    chains = {("ddim", 400, 5): 0.4, ("ddim", 400, 100): 0.22, ("unipc", 400, 10): 0.2, ("unipc", 400, 100): 0.2}
    (found,) = _lines(make, chains)
    assert found.reading.startswith(
        "DifFace swinir on gfpgan, start 400: the shortest chain not told to be worse in st_lpips than unipc 100 "
        "(101 evaluations) is unipc 10 (11 evaluations); it differs by "
    )
    (worse,) = _lines(make, {("ddim", 400, steps): 1 / steps for steps in (5, 10, 100)})
    assert worse.reading.endswith("every shorter chain is worse in st_lpips than ddim 100 (101 evaluations).")
