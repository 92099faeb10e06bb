"""Severity curves against plain numpy."""

import numpy as np
import pytest

from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.document import document_text
from src.leaderboard.severity import by_scale, members, severity_curves
from src.leaderboard.table import build_rows
from src.metrics.statistics import bootstrap_mean
from src.tracking.records import StoredRecord

SCALE = {"name": "downscale factor r", "edges": [1, 4, 8, 16, 32]}


def _with_severity(stored: StoredRecord, severity: np.ndarray) -> StoredRecord:
    stored.per_image().assign(severity=severity).to_parquet(stored.folder / "per_image.parquet")
    return stored


def test_an_edge_belongs_to_the_bin_above_and_the_last_one_to_the_bin_below() -> None:
    severity = np.array([0.9, 1.0, 3.9, 4.0, 15.9, 16.0, 32.0, 32.1, np.nan])
    found = [np.flatnonzero(inside).tolist() for inside in members(severity, [1.0, 4.0, 8.0, 16.0, 32.0])]
    assert found == [[1, 2], [3], [4], [5, 6]]


def test_bins_are_means_over_faces_of_means_over_seeds(make) -> None:
    # No face between 8 and 16: that bin is left out, not shown as empty.
    severity = np.where(np.arange(64) < 40, np.linspace(1, 7.9, 64), 16 + np.arange(64) % 16)
    records = [_with_severity(make("arm", seed=seed, severity=SCALE), severity) for seed in (0, 1)]
    records.append(_with_severity(make("input", None, baseline=True, weights={}, severity=SCALE), severity))
    records.append(make("without_severity"))
    rows = build_rows(records, "perceptual", 300)
    curves = severity_curves(rows, ["st_lpips", "psnr"], 300, 5)
    assert [(curve.metric, curve.arm, curve.baseline) for curve in curves] == [
        ("st_lpips", "arm", False),
        ("st_lpips", "input", True),
        ("psnr", "arm", False),
        ("psnr", "input", True),
    ]
    bins = curves[0].bins
    assert [(entry.low, entry.high) for entry in bins] == [(1, 4), (4, 8), (16, 32)]
    assert curves[0].scale == "downscale factor r"
    assert curves[0].setting == "w 0.5"
    mean = np.mean([stored.per_image()["st_lpips"] for stored in records[:2]], axis=0)
    assert bins[2].interval == bootstrap_mean(mean[40:], 300, 5)
    assert bins[0].interval.mean == pytest.approx(mean[severity < 4].mean())
    assert sum(entry.interval.n for entry in bins) == 64


def test_only_the_best_setting_of_an_arm_has_a_curve(make) -> None:
    severity = np.linspace(1, 32, 64)
    records = [_with_severity(make("arm", w, shift=w, spread=0.001, severity=SCALE), severity) for w in (0.0, 0.5, 1.0)]
    curves = severity_curves(build_rows(records, "perceptual", 300), ["psnr"], 300, 0)
    assert [(curve.arm, curve.fidelity) for curve in curves] == [("arm", 0.0)]


def test_a_face_that_failed_is_dropped_from_its_bin_and_counted(make) -> None:
    stored = _with_severity(make("arm", severity=SCALE), np.linspace(1, 3, 64))
    table = stored.per_image()
    table.loc[3, "psnr"] = np.nan
    table.to_parquet(stored.folder / "per_image.parquet")
    (curve,) = severity_curves(build_rows([stored], "perceptual", 300), ["psnr"], 300, 0)
    assert (curve.bins[0].interval.n, curve.bins[0].interval.dropped) == (63, 1)


def test_curves_of_other_bins_are_never_in_one_table_and_faces_outside_are_counted(make) -> None:
    severity = np.linspace(1, 32, 64)
    severity[:3] = (0.5, 33.0, np.nan)
    scales = [SCALE, SCALE | {"edges": [1, 16, 32]}, {"name": "input error", "edges": [1, 16, 32]}]
    records = [
        _with_severity(make(f"arm_{index}", severity=scale), severity) for index, scale in enumerate([*scales, SCALE])
    ]
    curves = severity_curves(build_rows(records, "perceptual", 300), ["psnr"], 300, 0)
    groups = [[curve.arm for curve in group] for group in by_scale(curves)]
    assert sorted(map(sorted, groups)) == [["arm_0", "arm_3"], ["arm_1"], ["arm_2"]]
    assert [curve.outside for curve in curves] == [3] * 4
    assert all(sum(entry.interval.n for entry in curve.bins) == 61 for curve in curves)
    document = document_text(study_tables(records, Choices(resamples=200)))
    tables = [part.split("\n#")[0] for part in document.split("## psnr ↑ by ")[1:]]
    assert [table.splitlines()[0] for table in tables].count("downscale factor r") == 2
    assert all(table.rstrip().endswith("3 faces outside the bins.") for table in tables)
    assert sum("arm_0" in table for table in tables) == 1
    assert not any("arm_0" in table and "arm_1" in table for table in tables)


def test_seeds_on_different_scales_have_no_curve(make) -> None:
    other = {"name": "input error", "edges": [1, 16, 32]}
    records = [_with_severity(make("arm", seed=seed, severity=(SCALE, other)[seed]), np.ones(64)) for seed in (0, 1)]
    assert severity_curves(build_rows(records, "perceptual", 300), ["psnr"], 300, 0) == []
