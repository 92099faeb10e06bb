"""Which metric decides."""

import pytest

from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.primary import primary_of
from src.settings.errors import UserError


def _named(make, arm: str, primary: str, day: int):
    return make(arm, config={"metrics": {"primary": primary}}, created=f"2030-01-0{day}T00:00:00+00:00")


def test_the_records_decide_unless_the_command_does(make) -> None:
    records = [_named(make, "a", "identity", 1), _named(make, "b", "identity", 2)]
    (table,) = study_tables(records, Choices(resamples=200))
    assert table.primary == "identity"
    assert table.primary_source == "named by the study before its runs"
    assert table.rankings[0].protocol.metric == "id/cos_mobilefacenet"
    assert table.notes == []
    (table,) = study_tables(records, Choices(primary="psnr", resamples=200))
    assert table.rankings[0].protocol.metric == "psnr"
    assert table.primary_source == "named when the leaderboard was built"


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
