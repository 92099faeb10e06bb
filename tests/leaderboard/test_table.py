"""Who is ranked, who is tied, and who stands apart."""

from dataclasses import replace

import numpy as np
import pytest

from src.leaderboard.ranking import placed
from src.leaderboard.row import Row
from src.leaderboard.selection import newest
from src.leaderboard.table import build_rows
from src.settings.errors import UserError
from src.tracking.records import StoredRecord, write_record


def _ranks(rows: list[Row]) -> dict[str, tuple[int | None, bool]]:
    return {row.arm: (row.standing.rank, row.standing.tied) for row in placed(rows) if row.standing}


def test_a_constant_shift_is_a_rank_and_noise_is_a_tie(make) -> None:
    records = [
        make("worst", shift=0.2, spread=0.001),
        make("better", shift=0.0, spread=0.001),
        make("middle", shift=0.1, spread=0.05),
        make("middle_again", shift=0.1, spread=0.05),
    ]
    rows = build_rows(records, "perceptual", 2000)
    assert _ranks(rows) == {"better": (1, False), "middle": (2, True), "middle_again": (2, True), "worst": (4, False)}
    worst = next(row for row in rows if row.arm == "worst")
    assert worst.standing.to_best.mean == pytest.approx(0.2, abs=0.001)
    assert worst.standing.to_best.high - worst.standing.to_best.low < 0.002


def test_the_direction_of_the_metric_decides_the_order(make) -> None:
    records = [make("sharp", shift=0.0), make("blurred", shift=0.2)]
    assert [row.arm for row in placed(build_rows(records, "perceptual", 500))] == ["sharp", "blurred"]
    assert [row.arm for row in placed(build_rows(records, "psnr", 500))] == ["sharp", "blurred"]


def test_each_arm_is_ranked_at_its_best_fidelity(make) -> None:
    records = [make("cft", w, shift=abs(w - 0.75)) for w in (0.0, 0.5, 0.75, 1.0)]
    rows = build_rows([*records, make("none", None, shift=0.1)], "perceptual", 500)
    assert [(row.arm, row.fidelity) for row in placed(rows)] == [("cft", 0.75), ("none", None)]
    assert [row.fidelity for row in rows if row.arm == "cft"] == [0.0, 0.5, 0.75, 1.0]


def test_identical_restorations_tie(make) -> None:
    first = make("a")
    second = make("b")
    record = replace(second.record, metrics=first.record.metrics)
    write_record(second.folder, record, first.per_image(), overwrite=True)
    assert _ranks(build_rows([first, StoredRecord(record, second.folder)], "perceptual", 500)) == {
        "a": (1, True),
        "b": (1, True),
    }


def test_a_distribution_distance_gives_an_order_without_ranks(make) -> None:
    rows = build_rows([make("a", shift=0.1), make("b")], "distribution", 500)
    assert [(row.arm, row.standing.rank, row.standing.tied) for row in placed(rows)] == [
        ("b", None, False),
        ("a", None, False),
    ]


def test_what_cannot_be_compared_stands_apart_with_its_reason(make) -> None:
    other_benchmark = make("foreign", benchmark={"hash": "ffff", "name": "celeba", "n": 64})
    base = make("base")
    redefined = make("redefined")
    definition = redefined.record.metrics["psnr"].definition | {"crop": 4}
    psnr = replace(redefined.record.metrics["psnr"], definition=definition)
    redefined = _with_metric(redefined, "psnr", psnr)
    smaller = make("smaller_fd")
    smaller = _with_metric(smaller, "fd_mobilenetv2", replace(smaller.record.metrics["fd_mobilenetv2"], n=60))
    failures = make("some_failures")
    identity = replace(failures.record.metrics["id/cos_mobilefacenet"], n=60, failures=4)
    failures = _with_metric(failures, "id/cos_mobilefacenet", identity)
    unhashed = make("unhashed", weights={})
    lost = make("lost_table")
    (lost.folder / "per_image.parquet").unlink()
    records = [base, make("base_2"), make("base_3"), other_benchmark, redefined, smaller, failures, unhashed, lost]
    reasons = {row.arm: row.reason for row in build_rows(records, "perceptual", 500)}
    assert reasons == {
        "base": None,
        "base_2": None,
        "base_3": None,
        "some_failures": None,
        "foreign": "other benchmark: celeba (n=64, ffff), not synthetic (n=64, benchben)",
        "redefined": "other definition of psnr (crop)",
        "smaller_fd": "fd_mobilenetv2 over 60 images, not 64",
        "unhashed": "its record lacks weights hashes",
        "lost_table": "per-image values of st_lpips are missing",
    }


def _with_metric(stored: StoredRecord, name: str, measured) -> StoredRecord:
    return StoredRecord(replace(stored.record, metrics=stored.record.metrics | {name: measured}), stored.folder)


def test_baselines_and_failures_have_no_rank(make) -> None:
    records = [
        make("arm"),
        make("input", None, shift=-0.5, baseline=True, weights={}),
        make("broken", None, status="failed", reason="NaN"),
    ]
    rows = build_rows(records, "perceptual", 500)
    assert _ranks(rows) == {"arm": (1, False)}
    assert {row.arm: row.reason for row in rows} == {"arm": None, "input": None, "broken": "NaN"}


def test_seeds_are_averaged_by_face(make) -> None:
    records = [make("arm", seed=seed, spread=0.05) for seed in (0, 1, 2)]
    (row,) = build_rows(records, "perceptual", 2000)
    cell = row.cells["st_lpips"]
    tables = [entry.per_image()["st_lpips"].to_numpy() for entry in records]
    assert row.seeds == (0, 1, 2)
    assert cell.by_seed == {seed: pytest.approx(table.mean()) for seed, table in enumerate(tables)}
    assert cell.value == pytest.approx(np.mean(tables))
    half_width = 1.96 * np.mean(tables, axis=0).std() / np.sqrt(64)
    assert cell.interval[1] - cell.interval[0] == pytest.approx(2 * half_width, rel=0.1)


def test_the_newest_run_of_an_arm_counts(make) -> None:
    old = make("arm", identity="old", run="old_run", created="2030-01-01T00:00:00+00:00")
    stale = make("arm", 0.75, identity="old", run="old_run", created="2030-01-01T00:00:01+00:00")
    new = make("arm", identity="new", created="2030-01-02T00:00:00+00:00")
    retried = make("retried", None, status="failed", reason="killed", created="2030-01-01T00:00:00+00:00")
    success = make("retried", created="2030-01-02T00:00:00+00:00")
    kept, notes = newest([new, old, stale, retried, success])
    assert {entry.folder for entry in kept} == {new.folder, success.folder}
    assert len(notes) == 1
    assert "old_run" in notes[0]


def test_a_role_that_was_not_measured_is_named(make) -> None:
    with pytest.raises(
        UserError, match="'ssim' was not measured in study 'made_up'; take one of distribution, identity"
    ):
        build_rows([make("arm")], "ssim")


def test_only_failures_make_rows_without_a_protocol(make) -> None:
    rows = build_rows([make("broken", status="failed", reason="NaN")], "perceptual")
    assert [(row.arm, row.standing) for row in rows] == [("broken", None)]
