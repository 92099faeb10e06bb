"""Error against start step: numbers straight from the tables, and claims that need their intervals."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.start_curve import start_curves, start_reading
from src.leaderboard.start_curve_figure import start_figure
from src.leaderboard.study import Ranking
from src.leaderboard.sweep import SweepLine, benchmark_labels
from src.tracking.records import StoredRecord, write_record
from tests.leaderboard.conftest import MakeRecord
from tests.leaderboard.difface_study import STARTS, Quality, difface_records, mean_ratio, setting

DDIM = {"steps": 20, "solver": "ddim", "eta": 0.5}


@pytest.fixture(scope="module")
def records(make_once: tuple[MakeRecord, Path]) -> list[StoredRecord]:
    """The made-up study of DifFace."""
    return list(difface_records(make_once[0]))


def _rankings(records: list[StoredRecord]) -> list[Ranking]:
    (table,) = study_tables(records, Choices(resamples=200))
    return table.rankings


def _line(make: MakeRecord, errors: dict[int, float], recipe: str = "severe", faces: int = 64) -> SweepLine:
    """The line of settings whose error is this share of the backbone's."""
    records = [setting(make, "srcnn", recipe, "difface_backbone", {}, Quality(1.0, 0.3, 0.8, 30.0), faces=faces)]
    for start, error in errors.items():
        made = Quality(error, 0.3, 0.8 - start / 1000, 30.0)
        records.append(setting(make, "srcnn", recipe, "difface", DDIM | {"start": start}, made, faces=faces))
    (line,) = start_curves(_rankings(records), 500, 0)
    return line


def test_a_line_for_each_arm_and_benchmark_at_the_knobs_measured_most(records: list[StoredRecord]) -> None:
    lines = start_curves(_rankings(records), 200, 0)
    assert [(line.arm, line.place.benchmark, line.place.state) for line in lines] == [
        (f"DifFace {arm}", recipe, state)
        for arm in ("srcnn", "swinir")
        for recipe, state in (("gfpgan", "inside"), ("severe", "outside"))
    ]
    for line in lines:
        assert tuple(point.at for point in line.points) == STARTS
        assert {point.evaluations for point in line.points} == {21}
        assert line.fixed == ("ddim 20", "eta 0.5")


def test_the_pixel_error_is_the_mean_ratio_of_errors(records: list[StoredRecord]) -> None:
    lines = start_curves(_rankings(records), 200, 0)
    line = next(line for line in lines if (line.arm, line.place.benchmark) == ("DifFace swinir", "severe"))

    def one(**knobs: object) -> StoredRecord:
        return next(
            entry
            for entry in records
            if (entry.record.arm, entry.record.benchmark["recipe"]) == ("swinir", "severe")
            and {name: value for name, value in entry.record.knobs.items() if name != "seed"} == knobs
        )

    alone = one()
    for point in line.points:
        restored = one(start=point.at, **DDIM)
        pixel = point.values["pixel_error"]
        assert pixel.value == pytest.approx(mean_ratio(restored, alone))
        assert (pixel.reference, pixel.direction) == (1.0, "lower")
        low, high = pixel.bounds
        assert low < pixel.value < high
        columns = [entry.per_image()["st_lpips"].to_numpy() for entry in (restored, alone)]
        lpips = point.values["perceptual"]
        assert (lpips.value, lpips.reference) == pytest.approx([column.mean() for column in columns])
        assert lpips.change.mean == pytest.approx((columns[0] - columns[1]).mean())
        far = point.values["distribution"]
        assert (far.value, far.change, far.bounds, far.sign) == (
            restored.record.metrics["fd_mobilenetv2"].value,
            None,
            None,
            0,
        )


def test_contraction_is_claimed_only_below_one(make: MakeRecord) -> None:
    line = _line(make, {100: 0.9, 200: 0.8, 300: 1.0, 400: 1.2})
    assert [point.values["pixel_error"].sign for point in line.points] == [1, 1, 0, -1]
    text = start_reading(line)
    assert text.startswith("DifFace srcnn (ddim 20, eta 0.5) on severe, outside its training recipes, n = 64: ")
    assert "contracts the backbone's error: pixel error smaller at N 100, 200 (0.80" in text
    assert "of it at N 200), larger at N 400, not told apart at N 300;" in text
    assert "id/cos_mobilefacenet ↑ better at no N, worse at N 100, 200, 300, 400." in text


def test_no_contraction_is_claimed_without_an_interval_below_one(make: MakeRecord) -> None:
    line = _line(make, {100: 1.0, 200: 1.1}, recipe="gfpgan")
    text = start_reading(line)
    assert "contracts" not in text
    assert "in its training recipes" in text
    assert "pixel error smaller than the backbone's at no N, larger at N 200, not told apart at N 100" in text


def test_too_few_faces_claim_nothing(make: MakeRecord) -> None:
    text = start_reading(_line(make, {100: 0.5, 200: 2.0}, faces=5))
    assert "smaller than the backbone's at no N, not told apart at N 100, 200" in text
    assert "contracts" not in text


def test_a_face_that_one_of_both_failed_on_is_left_out(make: MakeRecord) -> None:
    records = [setting(make, "srcnn", "severe", "difface_backbone", {}, Quality(1.0, 0.3, 0.8, 30.0))]
    records += [
        setting(make, "srcnn", "severe", "difface", DDIM | {"start": start}, Quality(0.9, 0.3, 0.7, 30.0))
        for start in (100, 200)
    ]
    for place, stored in enumerate(records):
        table = stored.per_image()
        table.loc[place, "id/cos_mobilefacenet"] = np.nan
        table.to_parquet(stored.folder / "per_image.parquet")
    (line,) = start_curves(_rankings(records), 200, 0)
    tables = [stored.per_image().drop(index=[0, 1])["id/cos_mobilefacenet"] for stored in records[:2]]
    found = line.points[0].values["identity"]
    assert found.change.n == 62
    assert (found.value, found.reference) == pytest.approx((tables[1].mean(), tables[0].mean()))


def test_without_the_backbone_alone_or_a_second_start_there_is_no_line(records: list[StoredRecord]) -> None:
    refined = [entry for entry in records if entry.record.restorer != "difface_backbone"]
    assert start_curves(_rankings(refined), 200, 0) == []
    single = [entry for entry in records if entry.record.knobs.get("start") in (None, 400)]
    assert start_curves(_rankings(single), 200, 0) == []


def test_photographs_without_originals_have_distances_alone(make: MakeRecord) -> None:
    def photographs(stored: StoredRecord) -> StoredRecord:
        kept = {"fd_mobilenetv2": stored.record.metrics["fd_mobilenetv2"]}
        record = replace(stored.record, metrics=kept, roles={"distribution": "fd_mobilenetv2"})
        write_record(stored.folder, record, None, overwrite=True)
        return StoredRecord(record, stored.folder)

    made = Quality(1.0, 0.3, 0.8, 30.0)
    records = [photographs(setting(make, "srcnn", "severe", "difface_backbone", {}, made))]
    for start in (100, 200):
        records.append(photographs(setting(make, "srcnn", "severe", "difface", DDIM | {"start": start}, made)))
    (line,) = start_curves(_rankings(records), 200, 0)
    assert [set(point.values) for point in line.points] == [{"distribution"}] * 2
    assert start_reading(line).endswith("n = 64: no metric with per-image values was measured on both.")
    assert start_figure([line], "title").startswith(b"\x89PNG")


def test_benchmarks_are_named_by_what_tells_them_apart() -> None:
    one, other = {"name": "celeba", "recipe": "gfpgan", "hash": "1" * 64, "n": 8}, {"hash": "2" * 64}
    assert benchmark_labels([one, one | {"recipe": "severe"}]) == ["gfpgan", "severe"]
    assert benchmark_labels([one, one | {"name": "lfw"}]) == ["celeba", "lfw"]
    assert benchmark_labels([one, one | other]) == ["celeba (n=8, 11111111)", "celeba (n=8, 22222222)"]
