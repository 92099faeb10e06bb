"""Who is ranked, who is tied, and who stands apart."""

from dataclasses import replace

import numpy as np
import pytest

from src.leaderboard.comparable import protocol_of
from src.leaderboard.frontier import frontier_of
from src.leaderboard.grids import ranking_grid, seeds_grid
from src.leaderboard.ranking import placed
from src.leaderboard.row import Row
from src.leaderboard.selection import newest
from src.leaderboard.setting import named, setting_heading, setting_text
from src.leaderboard.table import build_rows
from src.settings.errors import UserError
from src.tracking.records import MetricValue, StoredRecord, write_record


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
    base = make("base")
    redefined = make("redefined")
    definition = redefined.record.metrics["psnr"].definition | {"crop": 4}
    psnr = replace(redefined.record.metrics["psnr"], definition=definition)
    redefined = _with_metric(redefined, "psnr", psnr)
    failures = make("some_failures")
    identity = replace(failures.record.metrics["id/cos_mobilefacenet"], n=60, failures=4)
    failures = _with_metric(failures, "id/cos_mobilefacenet", identity)
    unhashed = make("unhashed", weights={})
    lost = make("lost_table")
    (lost.folder / "per_image.parquet").unlink()
    records = [base, make("base_2"), make("base_3"), redefined, failures, unhashed, lost]
    reasons = {row.arm: row.reason for row in build_rows(records, "perceptual", 500)}
    assert reasons == {
        "base": None,
        "base_2": None,
        "base_3": None,
        "some_failures": None,
        "redefined": "other definition of psnr (crop)",
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


def test_only_failures_make_rows_without_a_protocol(make) -> None:
    rows = build_rows([make("broken", status="failed", reason="NaN")], "perceptual")
    assert [(row.arm, row.standing) for row in rows] == [("broken", None)]


def test_a_distance_at_another_n_is_refused_and_never_decides(make) -> None:
    smaller = make("smaller")
    metrics = smaller.record.metrics
    kid = MetricValue(metrics["fd_mobilenetv2"].definition | {"role": "distribution_unbiased"}, 0.4, 57, 0, None)
    smaller = _with_metric(smaller, "fd_mobilenetv2", replace(metrics["fd_mobilenetv2"], n=57, value=1.0))
    smaller = _with_metric(smaller, "kd_mobilenetv2", kid)
    records = [make("a", shift=0.1), make("b", shift=0.2), smaller]
    rows = build_rows(records, "perceptual", 500)
    assert _ranks(rows)["smaller"] == (1, False)
    assert {row.arm: row.cells["fd_mobilenetv2"].refused for row in rows} == {
        "a": None,
        "b": None,
        "smaller": "n=57, not 64",
    }
    assert rows[-1].cells["kd_mobilenetv2"].refused is None
    protocol = protocol_of(records, "perceptual")
    grid = ranking_grid(rows, protocol)
    place = next(place for place, name in enumerate(grid.headings) if name.startswith("fd_mobilenetv2"))
    assert grid.rows[0][place : place + 2] == ("refused: n=57, not 64", "0.4000")
    assert grid.headings[place + 1].startswith("kd_mobilenetv2")
    assert [point.arm for point in frontier_of(rows, protocol).points] == ["a", "b"]
    with pytest.raises(UserError, match=r"smaller: n=57, not 64\); take primary=distribution_unbiased"):
        build_rows(records, "distribution", 500)


def test_knobs_are_settings_and_the_seed_knob_is_a_seed(make) -> None:
    def sample(steps: int, start: int, seed: int, shift: float) -> StoredRecord:
        knobs = {"steps": steps, "start": start, "noise": 0.5, "seed": seed}
        return make("difface", None, shift=shift, knobs=knobs, identity=f"difface-{seed}")

    records = [sample(steps, 400, seed, 0.01 * steps) for steps in (100, 20) for seed in (7, 8)]
    records.append(make("cft", 0.5, shift=1.0))
    kept, replaced = newest(records)
    rows = build_rows(kept, "perceptual", 500)
    assert replaced == []
    assert [(row.arm, setting_text(row), row.seeds) for row in rows] == [
        ("cft", "w 0.5", (0,)),
        ("difface", "steps 20", (7, 8)),
        ("difface", "steps 100", (7, 8)),
    ]
    assert [named(row) for row in placed(rows)] == ["difface (steps 20)", "cft (w 0.5)"]
    assert rows[1].cells["st_lpips"].by_seed.keys() == {7, 8}
    grid = seeds_grid(rows, protocol_of(kept, "perceptual"))
    assert grid.headings[:2] == ("arm", "setting")
    assert grid.headings[-2:] == ("seed 7", "seed 8")
    assert [line[1] for line in grid.rows] == ["steps 20", "steps 100"]


def test_several_knobs_are_named_in_order_and_two_kinds_of_seeds_are_told_apart(make) -> None:
    records = [
        make("arm", 0.5, seed=seed, knobs={"fidelity": 0.5, "start": start, "eta": eta, "seed": sample})
        for start, eta in ((400, 0.0), (300, 0.5))
        for seed in (0, 1)
        for sample in (0, 10)
    ]
    rows = build_rows(records, "perceptual", 500)
    assert [setting_text(row) for row in rows] == ["w 0.5, start 400, eta 0", "w 0.5, start 300, eta 0.5"]
    assert rows[0].seeds == ("0/0", "0/10", "1/0", "1/10")
    assert len(rows[0].cells["st_lpips"].by_seed) == 4


def test_the_setting_of_a_sampler_is_named_whole_and_its_backbone_is_an_arm_of_its_own(make) -> None:
    knobs = {"start": 400, "steps": 20, "eta": 0.5, "solver": "ddim", "tile": 512}
    records = [make("swinir", None, restorer="difface", knobs=knobs | {"seed": seed}) for seed in (0, 1)]
    records += [make("swinir", None, restorer="difface_backbone"), make("cft", 0.5, shift=1.0)]
    rows = build_rows(records, "perceptual", 500)
    texts = {row.arm: setting_text(row) for row in rows}
    assert texts == {"cft": "w 0.5", "DifFace swinir": "start 400, ddim 20, eta 0.5", "swinir alone": "–"}
    assert next(row.seeds for row in rows if row.arm == "DifFace swinir") == (0, 1)
    assert len(placed(rows)) == 3
    assert setting_heading(rows) == "setting"


def test_a_newer_run_replaces_an_arm_at_one_setting_and_leaves_the_others(make) -> None:
    old = make("difface", None, knobs={"steps": 20}, identity="old")
    other = make("difface", None, knobs={"steps": 50}, identity="old")
    new = make("difface", None, knobs={"steps": 20}, identity="new", created="2030-01-02T00:00:00+00:00")
    kept, notes = newest([old, other, new])
    assert {entry.folder for entry in kept} == {other.folder, new.folder}
    assert len(notes) == 1


def test_a_damaged_table_sets_a_row_apart_instead_of_ending_the_leaderboard(make) -> None:
    damaged = make("damaged")
    (damaged.folder / "per_image.parquet").write_bytes(b"no table")
    rows = build_rows([make("a"), make("b"), damaged], "perceptual", 500)
    assert "unreadable" in next(row.reason for row in rows if row.arm == "damaged")
