"""Failures promote nobody, chains of ties break, and ranks, verdict and bold cells say the same."""

from dataclasses import replace

import numpy as np
import pytest
from jaxtyping import Float

from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.latex import latex_text
from src.leaderboard.ranking import best_and_tied, placed
from src.leaderboard.study import Ranking
from src.leaderboard.table import build_rows
from src.metrics.statistics import bootstrap_mean
from src.tracking.records import MetricValue, StoredRecord, write_record
from tests.leaderboard.clr_face_study import Made, guided, made_record

FACES = 40
EASY = np.full(FACES // 2, 0.1)
DIFFICULTY = np.concatenate([EASY, np.full(FACES // 2, 0.5)])
HARD = np.arange(FACES) >= FACES // 2
SIGNS = np.where(np.arange(FACES) % 2 == 0, 1.0, -1.0)


def _with(stored: StoredRecord, lpips: Float[np.ndarray, " n"]) -> StoredRecord:
    """The same record with these per-image values, NaN for a failure."""
    found = bootstrap_mean(lpips, 200, 0)
    definition = stored.record.metrics["st_lpips"].definition
    interval = (found.low, found.high)
    value = MetricValue(definition, found.mean, found.n, found.dropped, interval)
    record = replace(stored.record, metrics=stored.record.metrics | {"st_lpips": value})
    table = stored.per_image()
    assert table is not None
    write_record(stored.folder, record, table.assign(st_lpips=lpips), overwrite=True)
    return StoredRecord(record, stored.folder)


def _ranking(records: list[StoredRecord]) -> Ranking:
    (table,) = study_tables(records, Choices(resamples=500))
    return table.rankings[0]


def _ranks(ranking: Ranking) -> list[tuple[str, int | None]]:
    return [(row.arm, row.standing.rank) for row in placed(ranking.rows) if row.standing]


def _failing(values: Float[np.ndarray, " n"], where: np.ndarray) -> Float[np.ndarray, " n"]:
    return np.where(where, np.nan, values)


def test_an_arm_that_fails_on_hard_faces_is_not_first(make) -> None:
    fragile = _with(make("fragile", n=FACES), _failing(DIFFICULTY + 0.05, HARD))
    robust = _with(make("robust", n=FACES), DIFFICULTY + 0.001 * SIGNS)
    ranking = _ranking([fragile, robust])
    cells = {row.arm: row.cells["st_lpips"] for row in ranking.rows}
    assert cells["fragile"].value < cells["robust"].value
    assert cells["fragile"].failures == 20
    assert _ranks(ranking) == [("robust", 1), ("fragile", 2)]
    to_best = placed(ranking.rows)[1].standing.to_best
    assert (to_best.n, to_best.mean) == (20, pytest.approx(0.05))
    assert ranking.verdict.startswith("Best on st_lpips ↓: robust (w 0.5)")
    note = "Order and ranks are over the 20 of 40 faces that every arm could be measured on; fragile failed on 20."
    assert sum(line.startswith(note) for line in ranking.notes) == 1
    text = latex_text(study_tables([fragile, robust], Choices(resamples=500)), 500, 0)
    assert "20 of 40 faces" in text
    assert r"1 & robust & 0.5 & \textbf{" in text
    assert r"2 & fragile & 0.5 & 0.15" in text


def test_the_best_setting_of_an_arm_is_not_that_which_fails_most(make) -> None:
    records = [
        _with(make("arm", 0.0, n=FACES), _failing(DIFFICULTY + 0.02, HARD)),
        _with(make("arm", 1.0, n=FACES), DIFFICULTY),
        _with(make("other", None, n=FACES), DIFFICULTY + 0.5),
    ]
    ranking = _ranking(records)
    assert [(row.arm, row.fidelity) for row in placed(ranking.rows)] == [("arm", 1.0), ("other", None)]


def test_a_setting_that_was_led_to_the_clean_face_is_shown_and_never_ranked(make) -> None:
    records = [
        guided(make, Made(0.6, 20.0), 0.0),
        guided(make, Made(0.7, 21.0), 0.3, "learned"),
        guided(make, Made(0.9, 22.0), 0.3, "learned", "oracle"),
        made_record(make, "other", Made(0.8, 22.0), 1),
    ]
    (table,) = study_tables(records, Choices(primary="identity", resamples=200))
    (ranking,) = table.rankings
    assert [(row.arm, dict(row.setting).get("target")) for row in placed(ranking.rows)] == [
        ("other", None),
        ("clr_face", "recovered"),
    ]
    assert sum(row.told_truth for row in ranking.rows) == 1
    (note,) = (note for note in ranking.notes if note.startswith("Led toward the clean faces themselves"))
    assert "target oracle" in note


def test_without_a_common_face_there_is_no_rank(make) -> None:
    records = [
        _with(make("easy", n=FACES), _failing(DIFFICULTY, HARD)),
        _with(make("hard", n=FACES), _failing(DIFFICULTY, ~HARD)),
    ]
    ranking = _ranking(records)
    assert [rank for _, rank in _ranks(ranking)] == [None, None]
    assert ranking.verdict == "No arm is best on st_lpips ↓: no face could be measured in every arm."
    assert any(
        note == "None of the 40 faces could be measured in every arm: no rank is claimed; easy failed on 20, hard "
        "failed on 20."
        for note in ranking.notes
    )
    assert best_and_tied(ranking.rows, "st_lpips", 500, 0) == set()


@pytest.mark.parametrize(
    ("middle", "last", "all_tied"),
    [
        (0.02 + 0.1 * SIGNS, np.full(FACES, 0.04), False),  # C is tied with B, and separated from A
        (0.02 + 0.1 * SIGNS, 0.04 + 0.2 * SIGNS, True),  # C is tied with B and with A
        (0.02 + 0.1 * SIGNS, 0.021 + 0.1 * SIGNS, False),  # C is separated from B, and tied with A
    ],
    ids=["chain", "tie", "neighbour"],
)
def test_rank_verdict_and_bold_agree(make, middle: np.ndarray, last: np.ndarray, all_tied: bool) -> None:
    columns = {"a": DIFFICULTY, "b": DIFFICULTY + middle, "c": DIFFICULTY + last}
    records = [_with(make(arm, None, n=FACES), column) for arm, column in columns.items()]
    ranking = _ranking(records)
    assert _ranks(ranking) == [("a", 1), ("b", 1), ("c", 1 if all_tied else 3)]
    names = "a, b and c" if all_tied else "a and b"
    assert ranking.verdict.startswith(f"Tie on st_lpips ↓: {names};")
    assert [row.standing.tied for row in placed(ranking.rows)] == [True, True, all_tied]
    assert best_and_tied(ranking.rows, "st_lpips", 500, 0) == ({0, 1, 2} if all_tied else {0, 1})


def test_a_mean_over_seeds_is_over_the_faces_of_all_seeds(make) -> None:
    first = _with(make("arm", seed=0, n=FACES), _failing(DIFFICULTY, HARD))
    second = _with(make("arm", seed=1, n=FACES), DIFFICULTY + 0.2)
    (row,) = build_rows([second, first], "perceptual", 500)
    cell = row.cells["st_lpips"]
    assert cell.by_seed == {0: pytest.approx(0.1), 1: pytest.approx(0.3)}
    assert cell.value == pytest.approx(0.2)
    assert cell.interval == pytest.approx((0.2, 0.2))
    assert (cell.n, cell.failures) == (20, 20)


def test_seeds_without_a_common_face_have_no_value(make) -> None:
    seeds = [_with(make("arm", seed=seed, n=FACES), _failing(DIFFICULTY, ~HARD if seed else HARD)) for seed in (0, 1)]
    other = _with(make("other", n=FACES), DIFFICULTY)
    ranking = _ranking([*seeds, other])
    assert _ranks(ranking) == [("other", 1)]
    assert any(note.startswith("No face of arm (w 0.5) could be measured with every seed") for note in ranking.notes)
