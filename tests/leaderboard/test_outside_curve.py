"""Inside or outside CodeFormer's own curve: known drawings, two ways to decide, and sentences that claim what is known."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.console import console_text
from src.leaderboard.document import document_text
from src.leaderboard.frontier import FrontierPoint, dominated_by_curve
from src.leaderboard.outside_curve import HeldPoint, OutsideCurve, Position, margins, outside_curves, places
from src.leaderboard.outside_curve_reading import outside_grid, outside_readings
from src.leaderboard.study import StudyTable
from src.tracking.records import StoredRecord, write_record
from tests.leaderboard.conftest import MakeRecord

IDENTITY, DISTANCE = "id/cos_mobilefacenet", "fd_mobilenetv2"
PLUS_PLUS = {"restorer": "codeformer_plus_plus", "adain": None}
CURVE = {0.0: (0.5, 10.0), 0.5: (0.7, 20.0), 1.0: (0.8, 40.0)}
"""Identity and distance by w."""
IDENTITIES, DISTANCES = (np.array(values) for values in zip(*CURVE.values(), strict=True))


def _spread(n: int) -> np.ndarray:
    """How faces differ, around 0."""
    return np.linspace(-0.2, 0.2, n)


def _at(
    make: MakeRecord, arm: str, w: float | None, faces: np.ndarray, distance: float, **changes: Any
) -> StoredRecord:
    """A record with this identity of every face and this distance."""
    stored = make(arm, w, n=len(faces), **changes)
    metrics = dict(stored.record.metrics)
    metrics[IDENTITY] = replace(metrics[IDENTITY], value=float(np.nanmean(faces)))
    metrics[DISTANCE] = replace(metrics[DISTANCE], value=distance)
    record = replace(stored.record, metrics=metrics)
    table = stored.per_image()
    assert table is not None
    write_record(stored.folder, record, table.assign(**{IDENTITY: faces}), overwrite=True)
    return StoredRecord(record, stored.folder)


def _curve(make: MakeRecord, n: int = 64) -> list[StoredRecord]:
    return [_at(make, "all_fixed", w, identity + _spread(n), distance) for w, (identity, distance) in CURVE.items()]


def _table(records: list[StoredRecord]) -> StudyTable:
    (table,) = study_tables(records, Choices(resamples=400))
    return table


def _found(records: list[StoredRecord]) -> OutsideCurve:
    (found,) = outside_curves(_table(records).rankings, 400, 0)
    return found


def _held(make: MakeRecord, faces: np.ndarray, distance: float) -> HeldPoint:
    records = [*_curve(make, len(faces)), _at(make, "plus_plus", None, faces, distance, **PLUS_PLUS)]
    (point,) = _found(records).points
    return point


@pytest.mark.parametrize(
    ("identity", "distance", "nearer", "more_faithful", "position"),
    [
        (0.6, 12.0, 3.0, 0.06, "outside"),  # between w 0 and w 0.5
        (0.75, 35.0, -5.0, -0.025, "inside"),
        (0.7, 20.0, 0.0, 0.0, "inside"),  # w 0.5 itself
        (0.85, 36.0, 4.0, 0.07, "outside"),  # more faithful than every w, and nearer than the most faithful
        (0.85, 40.0, 0.0, 0.05, "outside"),
        (0.85, 44.0, -4.0, 0.05, "past the faithful end"),
        (0.55, 8.0, 4.5, 0.05, "outside"),  # nearer than every w, and more faithful than the nearest
        (0.45, 8.0, 2.0, -0.05, "past the near end"),
        (0.45, 10.0, 0.0, -0.05, "inside"),
        (0.9, 5.0, 35.0, 0.4, "outside"),
        (0.1, 90.0, -80.0, -0.7, "inside"),
    ],
)
def test_margins_and_places_on_a_drawing(
    identity: float, distance: float, nearer: float, more_faithful: float, position: Position
) -> None:
    point = np.array([identity])
    found = margins(IDENTITIES[None], DISTANCES, point, distance)
    assert [float(margin[0]) for margin in found] == pytest.approx([nearer, more_faithful], abs=1e-12)
    assert places(IDENTITIES[None], DISTANCES, point, distance) == [position]


def test_margins_are_those_to_a_densely_sampled_curve() -> None:
    rng = np.random.default_rng(1)
    identities, distances = rng.uniform(0, 1, (2, 6))
    shares = np.linspace(0, 1, 20001)[:, None]
    corners = np.stack([identities, distances], axis=1)
    dense = np.concatenate([a + shares * (b - a) for a, b in pairwise(corners)])
    points = rng.uniform(-0.1, 1.1, (200, 2))
    for identity, distance in points:
        kept = dense[dense[:, 0] >= min(identity, identities.max()), 1].min()
        near = dense[dense[:, 1] <= max(distance, distances.min()), 0].max()
        found = margins(identities[None], distances, np.array([identity]), float(distance))
        assert [float(margin[0]) for margin in found] == pytest.approx([kept - distance, identity - near], abs=2e-3)


def test_inside_is_what_some_point_of_the_curve_dominates() -> None:
    rng = np.random.default_rng(2)

    def point(identity: float, distance: float) -> FrontierPoint:
        return FrontierPoint("arm", None, "–", "other", identity, None, distance, False, False, None)

    seen = set()
    for _ in range(20):
        identities, distances = rng.uniform(0, 1, (2, 5))
        curve = [point(float(a), float(b)) for a, b in zip(identities, distances, strict=True)]
        for identity, distance in rng.uniform(-0.1, 1.1, (40, 2)):
            (position,) = places(identities[None], distances, np.array([identity]), float(distance))
            seen.add(position)
            assert (position == "inside") == dominated_by_curve(point(float(identity), float(distance)), curve)
    assert seen == {"inside", "outside", "past the faithful end", "past the near end"}


def test_resamples_are_held_each_against_its_own_curve() -> None:
    rng = np.random.default_rng(3)
    identities = IDENTITIES + 0.1 * rng.standard_normal((50, 3))
    points = rng.uniform(0.4, 0.9, 50)
    together = margins(identities, DISTANCES, points, 25.0)
    alone = [margins(identities[i : i + 1], DISTANCES, points[i : i + 1], 25.0) for i in range(50)]
    for found, each in zip(together, zip(*alone, strict=True), strict=True):
        np.testing.assert_array_equal(found, np.concatenate(each))


def test_faces_are_resampled_in_pairs(make: MakeRecord) -> None:
    # Faces differ by far more than the margin, but each is better than the same face at w 0.5 by the same amount.
    point = _held(make, 0.7 + 0.05 + _spread(64), 20.0)
    assert (point.position, point.share, point.holds) == ("outside", 1.0, True)
    assert point.more_faithful.value == pytest.approx(0.05)
    assert point.more_faithful.interval == pytest.approx((0.05, 0.05))
    assert point.nearer.value == pytest.approx(10.0)


def test_faces_that_one_w_gives_too_are_not_outside(make: MakeRecord) -> None:
    point = _held(make, 0.8 + _spread(64), 40.0)
    assert (point.position, point.share) == ("inside", 1.0)
    assert (point.nearer.value, point.more_faithful.value) == (0.0, 0.0)


def test_what_resampling_can_turn_is_said_to_be_unsure(make: MakeRecord) -> None:
    noise = np.random.default_rng(4).standard_normal(64)
    faces = 0.7 + _spread(64) + 0.1 * (noise - noise.mean()) + 0.005
    records = [*_curve(make), _at(make, "plus_plus", None, faces, 20.0, **PLUS_PLUS)]
    found = _found(records)
    (point,) = found.points
    assert point.position == "outside"
    assert point.share is not None
    assert 0.5 < point.share < 0.975
    assert point.more_faithful.interval is not None
    assert point.more_faithful.interval[0] < 0 < point.more_faithful.interval[1]
    (text,) = outside_readings(found)
    assert text.startswith(
        "plus_plus lies outside the w curve of all_fixed on codeformer_large, by point values but not sur"
    )
    assert f"in {100 * point.share:.1f} % of resamples of the 64 faces, the distances as measured" in text


def test_without_the_identity_of_single_faces_only_point_values_are_compared(make: MakeRecord) -> None:
    records = [*_curve(make), _at(make, "plus_plus", None, 0.75 + _spread(64), 20.0, **PLUS_PLUS)]
    table = records[-1].per_image()
    assert table is not None
    write_record(records[-1].folder, records[-1].record, table.drop(columns=IDENTITY), overwrite=True)
    found = _found(records)
    (point,) = found.points
    assert (point.position, point.share, point.holds, point.nearer.interval) == ("outside", None, False, None)
    (text,) = outside_readings(found)
    assert "by point values alone (no resampling" in text
    assert "fd_mobilenetv2 lower by 10.00 than where the curve keeps as much identity" in text


def test_faces_that_one_row_failed_on_are_left_out_of_all(make: MakeRecord) -> None:
    faces = 0.75 + _spread(64)
    faces[:4] = np.nan
    records = [*_curve(make), _at(make, "plus_plus", None, faces, 20.0, **PLUS_PLUS)]
    found = _found(records)
    assert (found.n, found.n_distance) == (60, 64)
    assert [point.identity for point in found.curve] == pytest.approx(
        [identity + _spread(64)[4:].mean() for identity, _ in CURVE.values()]
    )
    assert found.points[0].more_faithful.value == pytest.approx(0.05)


def test_a_curve_that_trades_nothing_is_named(make: MakeRecord) -> None:
    flat = {0.0: (0.7, 20.0), 0.5: (0.69, 21.0), 1.0: (0.6, 25.0)}
    records = [_at(make, "all_fixed", w, identity + _spread(64), far) for w, (identity, far) in flat.items()]
    records.append(_at(make, "plus_plus", None, 0.75 + _spread(64), 20.0, **PLUS_PLUS))
    readings = outside_readings(_found(records))
    assert len(readings) == 2
    assert "trades nothing at w 0.5, 1: another w has more identity and less distance" in readings[1]
    assert len(outside_readings(_found([*_curve(make), records[-1]]))) == 1


def test_the_figure_and_a_sentence_a_point_are_shown(make: MakeRecord) -> None:
    records = [
        *_curve(make),
        _at(make, "plus_plus", None, 0.75 + _spread(64), 20.0, **PLUS_PLUS),
        _at(make, "no_registration", None, 0.6 + _spread(64), 30.0, **PLUS_PLUS),
        _at(make, "difface", None, 0.9 + _spread(64), 5.0, restorer="difface"),
    ]
    table = _table(records)
    (figure,) = table.figures
    assert figure.png.startswith(b"\x89PNG")
    assert [text.split(" lies ")[0] for text in figure.readings] == ["no_registration", "plus_plus"]
    assert "lies on or inside the w curve of all_fixed on codeformer_large: some w is" in figure.readings[0]
    text = document_text([table])
    assert f"## {figure.heading}\n\n- {figure.readings[0]}\n- {figure.readings[1]}\n\n![" in text
    assert "](outside.png)" in text
    assert "it has no interval and is held as measured" in text
    assert "plus_plus lies outside the w curve" in " ".join(console_text([table]).split())
    grid = outside_grid(outside_curves(table.rankings, 400, 0))
    assert [row[:2] for row in grid.rows] == [
        *(("all_fixed", f"w {w:g}") for w in CURVE),
        ("no_registration", "–"),
        ("plus_plus", "–"),
    ]


def test_without_the_curve_or_such_an_arm_a_study_is_as_before(make: MakeRecord) -> None:
    point = _at(make, "plus_plus", None, 0.75 + _spread(64), 20.0, **PLUS_PLUS)
    other = _at(make, "difface", None, 0.9 + _spread(64), 5.0, restorer="difface")
    one_w = _curve(make)[:1]
    baseline = StoredRecord(replace(point.record, baseline=True), point.folder)
    for records in ([*_curve(make), other], [*one_w, point], [point, other], [*_curve(make), baseline]):
        assert _table(records).figures == []
