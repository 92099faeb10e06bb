"""What latents of several sizes keep: which records make a line, its numbers, and claims that need their intervals."""

import pytest

from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.latent_size import LatentSizes, latent_size_grid, latent_size_reading, latent_sizes
from src.leaderboard.study import StudyTable
from src.tracking.records import StoredRecord
from tests.leaderboard.clr_face_study import DISTANCE, IDENTITY, LPIPS, SIZES, Made, made_record, of_size
from tests.leaderboard.conftest import MakeRecord


def _table(records: list[StoredRecord]) -> StudyTable:
    (table,) = study_tables(records, Choices(resamples=200))
    return table


def _lines(records: list[StoredRecord]) -> list[LatentSizes]:
    return latent_sizes(_table(records).rankings, 500, 0)


def test_values_are_those_of_the_records_and_changes_are_paired(make: MakeRecord) -> None:
    records = {factor: of_size(make, factor) for factor in (32, 4, 16, 8)}
    (line,) = _lines(list(records.values()))
    assert [point.downscale for point in line.points] == [4, 8, 16, 32]
    assert (line.method, line.n) == ("latent_autoencoder", 64)
    first = records[4].per_image()
    for point in line.points:
        own = records[point.downscale].per_image()
        for role, metric in (("identity", IDENTITY), ("perceptual", LPIPS), ("psnr", "psnr")):
            found = point.values[role]
            assert found.value == pytest.approx(own[metric].mean())
            assert found.change.mean == pytest.approx((own[metric] - first[metric]).mean())
        far = point.values["distribution"]
        assert (far.metric, far.value, far.change) == (DISTANCE, SIZES[point.downscale][2], None)
    assert line.points[0].values["identity"].bounds == pytest.approx([first[IDENTITY].mean()] * 2)


def test_the_reading_says_for_each_role_which_size_keeps_more(make: MakeRecord) -> None:
    large = Made(0.9, 10.0, lpips=0.1, psnr=25.0)
    small = Made(0.6, 5.0, lpips=0.1, psnr=26.0)
    (line,) = _lines([of_size(make, 4, large), of_size(make, 32, small)])
    identity, perceptual, distance, psnr = latent_size_reading(line).split(": ", 1)[1].split("; ")
    assert "f = 4 keeps more (paired change -0.30" in identity
    assert "not told apart" in perceptual
    assert distance.endswith("better at f = 32 as measured, a distance without interval")
    assert "f = 32 keeps more (paired change 1.00" in psnr


def test_the_grid_has_the_change_behind_every_value_but_the_first(make: MakeRecord) -> None:
    grid = latent_size_grid(_lines([of_size(make, factor) for factor in SIZES]))
    assert grid.headings[:4] == ("arm", "method", "benchmark", "f")
    assert [row[3] for row in grid.rows] == ["4", "8", "16", "32"]
    assert "[" not in "".join(grid.rows[0])
    assert all("[" in row[4] for row in grid.rows[1:])


def test_arms_of_equal_size_and_other_methods_are_lines_of_their_own(make: MakeRecord) -> None:
    records = [of_size(make, factor) for factor in (4, 32)]
    identity, distance = 0.5, 40.0
    records += [
        made_record(make, arm, Made(identity, distance), 2, restorer="other", knobs={"downscale": factor})
        for arm, factor in (("a", 4), ("b", 8))
    ]
    assert sorted(line.method for line in _lines(records)) == ["latent_autoencoder", "other"]
    twice = [
        made_record(make, arm, Made(identity, distance), 2, restorer="other", knobs={"downscale": factor})
        for arm in ("a", "b")
        for factor in (4, 8)
    ]
    assert [[(point.arm, point.downscale) for point in line.points] for line in _lines(twice)] == [
        [(arm, 4), (arm, 8)] for arm in ("a", "b")
    ]


def test_one_size_alone_or_no_such_knob_draws_nothing(make: MakeRecord) -> None:
    assert _table([of_size(make, 4)]).figures == []
    assert _table([of_size(make, factor, knobs={}) for factor in (4, 8)]).figures == []


def test_the_figure_stands_in_the_study(make: MakeRecord) -> None:
    (figure,) = _table([of_size(make, factor) for factor in SIZES]).figures
    assert figure.file == "latent_size.png"
    assert figure.png.startswith(b"\x89PNG")
    assert len(figure.readings) == 1
