"""Which metric decides."""

from dataclasses import replace

import pytest

from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.primary import primary_of
from src.leaderboard.ranking import placed
from src.settings.errors import UserError
from src.tracking.records import StoredRecord


def _named(make, arm: str, primary: str, day: int, **more: bool):
    config = {"metrics": {"primary": primary, **more}}
    return make(arm, config=config, created=f"2030-01-0{day}T00:00:00+00:00")


def _without(stored: StoredRecord, **roles: str) -> StoredRecord:
    """The record as of photographs without originals: its `st_lpips` plays one role and its distance another."""
    parts = {"st_lpips": roles.get("per_image"), "fd_mobilenetv2": roles.get("distance")}
    metrics = {
        name: replace(value, definition=value.definition | {"role": parts[name]})
        for name, value in stored.record.metrics.items()
        if parts.get(name)
    }
    known = {role: name for name, role in parts.items() if role}
    return StoredRecord(replace(stored.record, metrics=metrics, roles=known), stored.folder)


def test_the_records_decide_unless_the_command_does(make) -> None:
    records = [_named(make, "a", "identity", 1), _named(make, "b", "identity", 2)]
    (table,) = study_tables(records, Choices(resamples=200))
    assert table.primary == "identity"
    assert table.primary_source == "as the records name it"
    assert table.rankings[0].protocol.metric == "id/cos_mobilefacenet"
    assert table.notes == []
    (table,) = study_tables(records, Choices(primary="psnr", resamples=200))
    assert table.rankings[0].protocol.metric == "psnr"
    assert table.primary_source == "named when the leaderboard was built"


@pytest.mark.parametrize(
    ("is_default", "source"), [(True, "the default"), (False, "named by the study before its runs")]
)
def test_a_default_is_not_said_to_be_named_by_the_study(make, is_default: bool, source: str) -> None:
    record = _named(make, "a", "perceptual", 1, primary_is_default=is_default)
    assert primary_of([record], None).source == source


def test_photographs_without_originals_are_decided_by_what_needs_none(make) -> None:
    cases = [
        ({"per_image": "no_reference", "distance": "distribution_unbiased"}, "no_reference"),
        ({"per_image": "identity_to_input", "distance": "distribution_unbiased"}, "distribution_unbiased"),
        ({"per_image": "identity_to_input", "distance": "distribution"}, "identity_to_input"),
        ({"per_image": "sharpness", "distance": "distribution"}, "st_lpips"),
        ({"distance": "distribution"}, "fd_mobilenetv2"),
    ]
    for roles, expected in cases:
        records = [_without(make("a"), **roles), _without(make("b", shift=0.2), **roles)]
        (table,) = study_tables(records, Choices(resamples=200))
        assert table.primary == expected
        assert table.primary_source == f"perceptual was not measured here; {expected} takes its place"
        assert [row.arm for row in placed(table.rankings[0].rows)] == ["a", "b"]
    unmeasured = replace(make("c").record, metrics={}, roles={})
    assert primary_of([StoredRecord(unmeasured, make("d").folder)], None).name == "perceptual"


def test_what_was_named_and_not_measured_is_refused_with_what_can_be_taken(make) -> None:
    record = _without(make("a"), per_image="no_reference", distance="distribution")
    expected = (
        r"'perceptual' was not measured in study 'made_up'; take one of distribution, no_reference, fd_\w+, st_lpips$"
    )
    with pytest.raises(UserError, match=expected):
        primary_of([record], "perceptual")
    bare = StoredRecord(replace(record.record, roles={}), record.folder)
    with pytest.raises(UserError, match=r"take one of fd_mobilenetv2, st_lpips$"):
        primary_of([bare], "perceptual")
    empty = StoredRecord(replace(record.record, roles={}, metrics={}), record.folder)
    with pytest.raises(UserError, match="nor was any other metric"):
        primary_of([empty], "perceptual")


def test_records_that_disagree_are_named_and_the_newest_counts(make) -> None:
    found = primary_of([_named(make, "a", "psnr", 1), _named(make, "b", "identity", 2), make("c")], None)
    assert found.name == "identity"
    assert found.notes == ["The records name several primary metrics (identity, psnr); the newest decides: identity."]


def test_a_metric_can_be_named_by_its_id_and_a_role_by_its_definition(make) -> None:
    records = [make("a"), make("b")]
    by_id, by_role = (
        study_tables(records, Choices(primary=name, resamples=200))[0].rankings[0]
        for name in ("id/cos_mobilefacenet", "identity")
    )
    assert by_id.verdict == by_role.verdict
    assert by_id.protocol.metric == "id/cos_mobilefacenet"


def test_what_cannot_decide_is_refused(make) -> None:
    with pytest.raises(
        UserError, match="'ssim' was not measured in study 'made_up'; take one of distribution, identity"
    ):
        primary_of([make("a")], "ssim")
    with pytest.raises(UserError, match=r"'lpips' is not one of perceptual, .* its metrics are fd_mobilenetv2"):
        primary_of([make("a")], "lpips")
    assert primary_of([make("broken", status="failed", reason="NaN")], None).name == "perceptual"


def test_a_benchmark_without_the_primary_metric_stands_apart(make) -> None:
    real = make("real", benchmark={"hash": "ffff", "name": "lfw", "n": 64}, roles={"distribution": "fd_mobilenetv2"})
    metrics = {"fd_mobilenetv2": real.record.metrics["fd_mobilenetv2"]}
    object.__setattr__(real.record, "metrics", metrics)
    (table,) = study_tables([make("a"), make("b"), real], Choices(resamples=200))
    assert len(table.rankings) == 1
    assert [(row.arm, row.reason) for row in table.apart] == [("real", "perceptual was not measured")]
