"""The Pareto front and the reference curve against drawings with known answers."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.comparable import protocol_of
from src.leaderboard.frontier import Frontier, FrontierPoint, dominated_by_curve, frontier_of
from src.leaderboard.table import build_rows
from src.tracking.records import StoredRecord


def _point(distance: float, identity: float) -> FrontierPoint:
    return FrontierPoint("arm", None, "–", "other", identity, None, distance, False, False, None)


def _placed(make, arm: str, w: float | None, distance: float, identity: float, **changes) -> StoredRecord:
    stored = make(arm, w, shift=distance / 100, **changes)
    metrics = dict(stored.record.metrics)
    metrics["fd_mobilenetv2"] = replace(metrics["fd_mobilenetv2"], value=distance)
    metrics["id/cos_mobilefacenet"] = replace(metrics["id/cos_mobilefacenet"], value=identity)
    return StoredRecord(replace(stored.record, metrics=metrics), stored.folder)


def _frontier(records: list[StoredRecord]) -> Frontier:
    rows = build_rows(records, "perceptual", 200)
    found = frontier_of(rows, protocol_of(records, "perceptual"))
    assert found is not None
    return found


def test_the_front_holds_what_nothing_dominates(make) -> None:
    other = {"restorer": "other"}
    records = [
        _placed(make, "sharp", None, 10.0, 0.5, **other),
        _placed(make, "faithful", None, 20.0, 0.9, **other),
        _placed(make, "between", None, 15.0, 0.7, **other),
        _placed(make, "dominated", None, 16.0, 0.69, **other),
        _placed(make, "as_far_but_worse", None, 20.0, 0.8, **other),
        _placed(make, "twin", None, 15.0, 0.7, **other),
        _placed(make, "ceiling", None, 1.0, 1.0, baseline=True, **other),
    ]
    found = _frontier(records)
    assert {point.arm for point in found.points if point.on_front} == {"sharp", "faithful", "between", "twin"}
    assert len(found.points) == 7
    assert (found.identity_metric, found.distance_metric, found.n) == ("id/cos_mobilefacenet", "fd_mobilenetv2", 64)
    assert found.reference == ()
    assert {point.beyond_reference for point in found.points} == {None}


@pytest.mark.parametrize(
    ("distance", "identity", "dominated"),
    [
        (16.0, 0.5, True),  # a vertex
        (24.0, 0.5625, True),  # the middle of the first segment
        (24.0, 0.563, False),
        (23.9, 0.5625, False),
        (40.0, 0.75, True),  # the middle of the second segment
        (39.9, 0.75, False),
        (15.9, 0.1, False),  # nearer than the whole curve
        (99.0, 0.9, False),  # more faithful than the whole curve
        (99.0, 0.875, True),
        (16.0, 0.0, True),
    ],
)
def test_the_reference_is_joined_by_straight_lines(distance: float, identity: float, dominated: bool) -> None:
    curve = [_point(16.0, 0.5), _point(32.0, 0.625), _point(48.0, 0.875)]
    assert dominated_by_curve(_point(distance, identity), curve) is dominated
    assert dominated_by_curve(_point(distance, identity), curve[::-1]) is dominated


def test_a_bent_curve_dominates_as_its_densely_sampled_points_do() -> None:
    rng = np.random.default_rng(0)
    curve = [_point(float(x), float(y)) for x, y in rng.uniform(0, 1, (6, 2))]
    corners = np.array([(point.distance, point.identity) for point in curve])
    shares = np.linspace(0, 1, 2001)[:, None]
    dense = np.concatenate([a + shares * (b - a) for a, b in pairwise(corners)])
    answers = set()
    for x, y in rng.uniform(0, 1, (400, 2)):
        sampled = bool(((dense[:, 0] <= x) & (dense[:, 1] >= y)).any())
        answers.add(sampled)
        assert dominated_by_curve(_point(float(x), float(y)), curve) == sampled
    assert answers == {True, False}


def test_the_reference_is_the_best_placed_codeformer_at_its_own_knobs(make) -> None:
    records = [
        _placed(make, "codeformer", 1.0, 30.0, 0.8),
        _placed(make, "codeformer", 0.0, 10.0, 0.6),
        _placed(make, "codeformer", 0.5, 20.0, 0.7),
        _placed(make, "worse_codeformer", 0.0, 50.0, 0.9),
        _placed(make, "difface", None, 15.0, 0.7, restorer="difface"),
        _placed(make, "weak", None, 16.0, 0.65, restorer="difface"),
        _placed(make, "unmoved", 0.0, 5.0, 0.95, config={"cft": {"fused_sizes": []}}),
        _placed(make, "ceiling", None, 1.0, 1.0, baseline=True, restorer="autoencoder"),
    ]
    found = _frontier(records)
    assert [(point.arm, point.fidelity) for point in found.reference] == [
        ("codeformer", 0.0),
        ("codeformer", 0.5),
        ("codeformer", 1.0),
    ]
    beyond = {(point.arm, point.fidelity): point.beyond_reference for point in found.points}
    assert [beyond["codeformer", w] for w in (0.0, 0.5, 1.0)] == [None, None, None]
    assert beyond["difface", None] is True
    assert beyond["DifFace weak", None] is False
    assert beyond["worse_codeformer", 0.0] is True
    assert beyond["ceiling", None] is True


def test_without_an_identity_metric_there_is_no_frontier(make) -> None:
    stored = make("arm")
    metrics = {name: value for name, value in stored.record.metrics.items() if not name.startswith("id/")}
    roles = {role: name for role, name in stored.record.roles.items() if role != "identity"}
    stored = StoredRecord(replace(stored.record, metrics=metrics, roles=roles), stored.folder)
    assert frontier_of(build_rows([stored], "perceptual", 200), protocol_of([stored], "perceptual")) is None


def test_identity_to_the_input_stands_in_and_is_named(make) -> None:
    def on_photographs(stored: StoredRecord) -> StoredRecord:
        metrics = dict(stored.record.metrics)
        kept = metrics.pop("id/cos_mobilefacenet")
        metrics["id_to_input/made_up"] = replace(kept, definition=kept.definition | {"role": "identity_to_input"})
        roles = {role: name for role, name in stored.record.roles.items() if role != "identity"}
        return StoredRecord(replace(stored.record, metrics=metrics, roles=roles), stored.folder)

    truth = [make("a"), make("b")]
    assert not _frontier(truth).to_input
    assert _frontier(truth).identity_label == "id/cos_mobilefacenet"
    found = _frontier([on_photographs(stored) for stored in truth])
    assert found.to_input
    assert found.identity_label == "identity to the input: id_to_input/made_up"
    assert {point.arm for point in found.points} == {"a", "b"}


def test_a_frontier_is_said_to_compare_point_values(make) -> None:
    (table,) = study_tables([make("a"), make("b")], Choices(resamples=200))
    assert table.rankings[0].notes[-1].endswith("compare point estimates; the distance has no interval.")


def test_each_combination_of_the_other_knobs_is_a_line_along_the_start_step(make) -> None:
    def sampled(start: int, solver: str, distance: float) -> StoredRecord:
        knobs = {"start": start, "steps": 20, "solver": solver, "eta": 0.5}
        return _placed(make, "swinir", None, distance, 0.7, restorer="difface", knobs=knobs)

    starts = (400, 1000, 50)
    records = [sampled(start, solver, start / 40) for solver in ("ddim", "unipc") for start in starts]
    records += [_placed(make, "codeformer", w, 20.0 + w, 0.6 + 0.1 * w) for w in (1.0, 0.0)]
    records.append(_placed(make, "swinir", None, 30.0, 0.75, restorer="difface_backbone"))
    found = _frontier(records)
    lines: dict[str | None, list[tuple[str | None, float | None]]] = {}
    for point in found.points:
        lines.setdefault(point.line, []).append((point.knob, point.along))
    along = [("start", start) for start in (50.0, 400.0, 1000.0)]
    assert {name: sorted(line) for name, line in lines.items() if name is not None and len(line) > 1} == {
        "DifFace swinir, ddim": along,
        "DifFace swinir, unipc": along,
        "codeformer": [("fidelity", 0.0), ("fidelity", 1.0)],
    }
    assert lines["swinir alone"] == [(None, None)]
    assert [(point.arm, point.fidelity) for point in found.reference] == [("codeformer", 0.0), ("codeformer", 1.0)]
    assert {point.beyond_reference for point in found.points if point.arm == "DifFace swinir"} == {True, False}
