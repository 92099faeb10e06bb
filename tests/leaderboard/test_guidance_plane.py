"""Identity guidance in the plane of identity and distance: what belongs together, and who dominates whom."""

import io

import numpy as np
import pytest
from PIL import Image

from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.guidance_dominance import Duel, Outcome
from src.leaderboard.guidance_plane import GuidanceKind, GuidancePlane, guidance_planes
from src.leaderboard.guidance_plane_reading import guidance_grid, guidance_readings, kind_name
from src.leaderboard.study import StudyTable
from src.metrics.statistics import Interval
from src.tracking.records import StoredRecord
from tests.leaderboard.clr_face_study import (
    GUIDE,
    IDENTITY,
    SCALES,
    Made,
    guidance_records,
    guided,
    without_guide,
)
from tests.leaderboard.conftest import MakeRecord

Setting = tuple[float, str, float, float]
"""Scale, mask, identity and distance."""


def _table(records: list[StoredRecord]) -> StudyTable:
    (table,) = study_tables(records, Choices(resamples=200))
    return table


def _plane(records: list[StoredRecord]) -> GuidancePlane:
    (plane,) = guidance_planes(_table(records).rankings, 400, 0)
    return plane


def _records(make: MakeRecord, settings: list[Setting]) -> list[StoredRecord]:
    return [guided(make, Made(identity, distance), scale, mask) for scale, mask, identity, distance in settings]


NONE: Setting = (0.0, "", 0.6, 20.0)


def test_points_are_means_of_the_records_and_gains_are_paired_with_no_guidance(make: MakeRecord) -> None:
    records = list(guidance_records(make))
    plane = _plane(records)
    assert (plane.arm, plane.fixed, plane.judge, plane.guide, plane.n) == (
        *("clr_face", ("start 1", "dpm_solver_pp 20"), IDENTITY, GUIDE),
        64,
    )
    assert [(curve.kind.mask, curve.kind.target) for curve in plane.curves] == [
        *(("learned", target) for target in ("recovered", "input", "oracle")),
        *((mask, "recovered") for mask in ("ones", "random", "components")),
    ]
    none = records[0].per_image()
    (stored,) = (
        entry for entry in records if (entry.record.knobs.get("mask"), entry.record.knobs["scale"]) == ("ones", 1.0)
    )
    own = stored.per_image()
    (ones,) = (curve for curve in plane.curves if curve.kind.mask == "ones")
    assert tuple(point.scale for point in ones.points) == SCALES
    point = ones.points[SCALES.index(1.0)]
    assert (point.identity, point.guide_identity) == pytest.approx((own[IDENTITY].mean(), own[GUIDE].mean()))
    assert point.distance == 25.0
    judge, guide = (own[name] - none[name] for name in (IDENTITY, GUIDE))
    means = [found.mean for found in (point.gain, point.guide_gain, point.overfit)]
    assert means == pytest.approx([judge.mean(), guide.mean(), (guide - judge).mean()])
    # As it was made: a gain of 0.1 / 1.3 by the judge, twice that by the guide.
    assert means == pytest.approx([0.1 / 1.3, 0.2 / 1.3, 0.1 / 1.3])


@pytest.mark.parametrize(
    ("identity", "distance", "expected"),
    [
        ((0.05, 0.04, 0.06), -1.0, "dominates"),
        ((0.05, 0.04, 0.06), 0.0, "dominates"),
        ((0.05, 0.04, 0.06), 1.0, "trades"),
        ((0.0, -0.01, 0.01), -1.0, "is not told apart"),
        ((-0.05, -0.06, -0.04), -1.0, "trades"),
        ((-0.05, -0.06, -0.04), 0.0, "is dominated"),
        ((-0.05, -0.06, -0.04), 1.0, "is dominated"),
    ],
)
def test_dominance_needs_a_sure_gain_at_no_larger_distance(
    identity: tuple[float, float, float], distance: float, expected: Outcome
) -> None:
    assert Duel(0.3, Interval(*identity, n=64, dropped=0), distance).outcome == expected
    assert Duel(0.3, Interval(*identity, n=5, dropped=0), distance).outcome == "is not told apart"


def test_the_reading_names_the_scales_at_which_the_learned_mask_wins_loses_and_trades(make: MakeRecord) -> None:
    learned = [(0.1, 0.64, 20.5), (0.3, 0.66, 23.0), (1.0, 0.65, 24.0), (3.0, 0.7, 25.0)]
    ones = [(0.1, 0.62, 21.0), (0.3, 0.64, 22.0), (1.0, 0.65, 23.0), (3.0, 0.75, 24.0)]
    settings = [NONE, *((s, mask, i, d) for mask, own in (("learned", learned), ("ones", ones)) for s, i, d in own)]
    text, against_curve, *_ = guidance_readings(_plane(_records(make, settings)))
    outcomes = text.split("at equal scale, mask learned against ones ")[1]
    wins, trades, undecided, losses = outcomes.split("; ")
    assert wins.startswith("dominates at scale 0.1 (id/cos_mobilefacenet +0.0200")
    assert wins.endswith("fd_mobilenetv2 -0.5000)")
    assert trades.startswith("trades at scale 0.3 (")
    assert undecided.startswith("is not told apart at scale 1 (")
    assert losses.startswith("is dominated at scale 3 (")
    assert "lies on or inside it at scale" in against_curve or "lies outside it at scale 0.1" in against_curve


def test_a_learned_mask_that_only_guides_less_than_ones_lies_on_their_curve(make: MakeRecord) -> None:
    """At equal scale it trades; a smaller scale of ones does the same."""
    ones = [(0.1, "ones", 0.62, 21.0), (0.3, "ones", 0.66, 23.0), (1.0, "ones", 0.7, 25.0)]
    weak = [(0.3, "learned", 0.62, 21.0), (1.0, "learned", 0.65, 23.0)]
    (contest,) = _plane(_records(make, [NONE, *ones, *weak])).contests
    assert [each.outcome for each in contest.duels] == ["trades", "trades"]
    assert contest.held[1].position == "inside"
    assert contest.held[1].more_faithful.value == pytest.approx(-0.01)
    strong = [(0.3, "learned", 0.66, 21.0)]
    (contest,) = _plane(_records(make, [NONE, *ones, *strong])).contests
    assert (contest.held[0].position, contest.held[0].holds) == ("outside", True)
    # Ones keep 0.62 at a distance of 21.
    assert contest.held[0].more_faithful.value == pytest.approx(0.04)


def test_what_guidance_brings_is_said_with_its_interval(make: MakeRecord) -> None:
    settings = [NONE, (0.3, "ones", 0.65, 21.0), (0.3, "random", 0.6, 20.5), (0.3, "edges", 0.55, 22.0)]
    (text,) = guidance_readings(_plane(_records(make, settings)))
    ones, random, edges = text.split("scale of most identity: ")[1].split("; ")
    assert ones.startswith("ones at 0.3, identity +0.05000 [")
    assert ones.endswith("] gained, distance +1.000")
    assert random.endswith("] not told apart, distance +0.5000")
    assert edges.endswith("] lost, distance +2.000.")


def test_over_fitting_is_the_gain_of_the_guide_beyond_the_judge(make: MakeRecord) -> None:
    fair, fitted = Made(0.65, 21.0, guide=0.63), Made(0.62, 21.0, guide=0.7)
    records = [
        guided(make, Made(0.6, 20.0, guide=0.58), 0.0),
        guided(make, fair, 0.3, "learned"),
        guided(make, fitted, 0.3, "ones"),
    ]
    text = guidance_readings(_plane(records))[-1]
    first, second = text.split(f"most identity by {GUIDE}: ")[1].split("; ")
    assert first.endswith("], not told from none")
    assert "ones at 0.3, guide +0.1200" in second
    assert "excess +0.1000" in second
    assert "not told" not in second
    assert not any(
        "over-fitting" in line for line in guidance_readings(_plane([without_guide(each) for each in records]))
    )


def test_other_knobs_split_planes_and_other_guidance_splits_curves(make: MakeRecord) -> None:
    records = _records(make, [NONE, (0.3, "learned", 0.65, 21.0), (1.0, "learned", 0.66, 22.0)])
    records.append(guided(make, Made(0.66, 21.5), 0.3, "learned", gradient="full", every=2))
    records.append(guided(make, Made(0.7, 15.0), 0.3, "learned", start=0.4))
    records.append(guided(make, Made(0.6, 16.0), 0.0, start=0.4))
    plane = _plane(records)
    assert plane.fixed[0] == "start 1"
    assert [kind_name(curve.kind) for curve in plane.curves] == ["learned", "learned, full gradient, every 2"]
    assert plane.curves[1].kind == GuidanceKind("learned", "recovered", "full", ("every 2",))
    assert [row[3:5] for row in guidance_grid([plane]).rows] == [
        *(("none", "0"), ("learned", "0.3"), ("learned", "1")),
        ("learned, full gradient, every 2", "0.3"),
    ]


def test_without_per_image_values_nothing_is_told_apart(make: MakeRecord) -> None:
    records = _records(make, [NONE, (0.3, "learned", 0.7, 19.0), (0.3, "ones", 0.65, 21.0)])
    for stored in records:
        (stored.folder / "per_image.parquet").unlink()
    plane = guidance_planes(study_tables(records, Choices(primary="distribution"))[0].rankings, 200, 0)[0]
    assert plane.curves[0].points[0].gain is None
    assert plane.contests[0].held == ()
    assert (
        "is not told apart at scale 0.3 (id/cos_mobilefacenet –, fd_mobilenetv2 -2.000)" in guidance_readings(plane)[0]
    )


@pytest.mark.parametrize(
    "settings",
    [
        [NONE],
        [NONE, (0.3, "learned", 0.65, 21.0)],
        [(0.1, "learned", 0.64, 20.5), (0.3, "learned", 0.65, 21.0), (0.3, "ones", 0.65, 21.0)],
    ],
)
def test_nothing_is_drawn_without_an_origin_and_two_guided_settings(make: MakeRecord, settings: list[Setting]) -> None:
    assert [figure.file for figure in _table(_records(make, settings)).figures] == []


def test_a_face_that_one_setting_failed_on_is_left_out_everywhere(make: MakeRecord) -> None:
    records = _records(make, [NONE, (0.3, "learned", 0.65, 21.0), (0.3, "ones", 0.65, 21.0)])
    table = records[2].per_image()
    table.loc[3, IDENTITY] = np.nan
    table.to_parquet(records[2].folder / "per_image.parquet")
    plane = _plane(records)
    assert plane.n == 63
    expected = records[0].per_image().drop(index=3)[IDENTITY].mean()
    assert plane.unguided.identity == pytest.approx(expected)


@pytest.mark.parametrize("seen_by_guide", [True, False])
def test_the_figure_is_drawn_with_and_without_the_guides_view(make: MakeRecord, seen_by_guide: bool) -> None:
    records = [
        guided(make, Made(0.6, 20.0, guide=0.58), 0.0),
        guided(make, Made(0.65, 21.0, guide=0.68), 0.3, "learned"),
        guided(make, Made(0.7, 21.0, guide=0.68), 0.3, "learned", "oracle"),
    ]
    (figure,) = _table(records if seen_by_guide else [without_guide(entry) for entry in records]).figures
    assert figure.file == "guidance.png"
    with Image.open(io.BytesIO(figure.png)) as picture:
        assert (picture.width > 1300) is seen_by_guide
        assert (np.asarray(picture.convert("RGB")) == (0, 0x72, 0xB2)).all(axis=-1).any()
