"""Nobody is ranked by the recogniser that guided it, and all by the same one."""

from dataclasses import replace

import pytest

from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.guides import guides_of, judged_alike
from src.leaderboard.latex import latex_text
from src.leaderboard.primary import primary_of
from src.leaderboard.ranking import best_and_tied, placed
from src.leaderboard.study import StudyTable
from src.settings.errors import UserError
from src.settings.metric_roles import guide_role, role_under
from src.tracking.records import MetricValue, StoredRecord, write_record

ID, OTHER, OWN = "id/cos_mobilefacenet", "id_other", "id_guide"
NETWORK = {ID: "ef" * 32, OTHER: "0a" * 32}
GUIDED = {"latent_mask": "11" * 32, "guide": NETWORK[ID]}
BY_IDENTITY = {"metrics": {"primary": "identity", "primary_is_default": False}}


def with_identity(stored: StoredRecord, name: str, shift: float, **definition: str) -> StoredRecord:
    """The record with one more metric of identity: the first one moved by `shift`."""
    first = stored.record.metrics[ID]
    assert first.value is not None
    facts = {"id": name, "extractor_sha256": NETWORK.get(name), **definition}
    more = MetricValue(first.definition | facts, first.value + shift, first.n, 0, first.interval)
    table = stored.per_image()
    assert table is not None
    table[name] = table[ID] + shift
    record = replace(stored.record, metrics=stored.record.metrics | {name: more})
    write_record(stored.folder, record, table, overwrite=True)
    return StoredRecord(record, stored.folder)


def table_of(*records: StoredRecord, primary: str | None = None) -> StudyTable:
    (table,) = study_tables(records, Choices(primary=primary, resamples=200))
    return table


def test_who_guided_is_told_by_the_names_of_the_networks() -> None:
    weights = {"guide": "a", "upstream/guide_recogniser": "b", "upstream/recogniser": "c", "codeformer": "d"}
    assert guides_of(weights) == {"a", "b", "c"}
    assert guides_of({"landmark_detector": "a", "recogniser_of_others": "b"}) == frozenset()
    roles = ("identity", "identity_degrees", "identity_drop_eyes", "identity_guide", "perceptual")
    assert [role_under(["a"], role, "a") for role in roles] == [
        "identity_guide",
        "identity_guide_degrees",
        "identity_guide_drop_eyes",
        "identity_guide",
        "perceptual",
    ]
    assert all(role_under(["a"], role, sha256) == role for role in roles for sha256 in ("b", None))
    assert all(guide_role(guide_role(role)) == guide_role(role) for role in roles)


def test_one_row_guided_by_the_judge_has_all_rows_judged_by_another(make) -> None:
    """By the guide the guided arm is far ahead; by the recogniser that guided nobody it is last."""
    guided = with_identity(make("guided", shift=-0.2, weights=GUIDED, config=BY_IDENTITY), OTHER, -0.4)
    plain = with_identity(make("plain", config=BY_IDENTITY), OTHER, 0.0)
    alone = table_of(plain)
    assert alone.rankings[0].protocol.metric == ID
    assert alone.notes == []
    table = table_of(guided, plain)
    (ranking,) = table.rankings
    assert table.primary == "identity"
    assert ranking.protocol.metric == OTHER
    assert [row.arm for row in placed(ranking.rows)] == ["plain", "guided"]
    assert table.apart == []
    expected = (
        f"{ID} is the view of the recogniser that guided guided: no row is judged by it; identity is judged by {OTHER}."
    )
    assert table.notes == [expected]
    for row in ranking.rows:
        assert row.records[0].record.roles["identity_guide"] == ID
        assert row.cells[ID].definition["role"] == "identity_guide"
    assert best_and_tied(ranking.rows, ID, 200, 0) == set()
    assert any(ID in note and "over-fitting to the guide" in note and OTHER in note for note in ranking.notes)
    assert ranking.frontier is not None
    assert ranking.frontier.identity_metric == OTHER
    assert OTHER.replace("_", r"\_") in latex_text([table], 200, 0)


def test_without_another_recogniser_identity_decides_nothing(make) -> None:
    records = [make("guided", weights=GUIDED, config=BY_IDENTITY), make("plain", config=BY_IDENTITY)]
    table = table_of(*records)
    assert table.primary != "identity"
    assert table.primary_source == f"identity was not measured here; {table.primary} takes its place"
    assert table.rankings[0].protocol.metric == "st_lpips"
    assert table.rankings[0].frontier is None
    assert [note for note in table.notes if "no other recogniser measured these records" in note] == table.notes
    with pytest.raises(UserError, match="'identity' was not measured in study 'made_up'; take one of"):
        table_of(*records, primary="identity")


def test_a_metric_named_before_the_runs_does_not_decide_over_those_it_guided(make) -> None:
    config = {"metrics": {"primary": ID, "primary_is_default": False}}
    records = [
        with_identity(make("guided", weights=GUIDED, config=config), OTHER, -0.1),
        with_identity(make("plain", config=config), OTHER, 0.0),
    ]
    table = table_of(*records)
    assert table.rankings[0].protocol.metric == OTHER
    assert table.primary_source == f"{ID} is the view of a recogniser that guided; identity takes its place"
    for name in (ID, "identity_guide"):
        with pytest.raises(UserError, match=f"'{name}' is the view of a recogniser that guided in study 'made_up'"):
            table_of(*records, primary=name)


def test_guides_of_their_own_keep_neither_seeds_nor_methods_apart(make) -> None:
    """What each guide sees is shown in a column of its own, and never better than what another guide sees."""
    made = []
    for seed, network in ((0, "1b" * 32), (1, "2c" * 32)):
        stored = make("guided", seed=seed, weights={"guide": network})
        facts = {"role": "identity_guide", "extractor_sha256": network}
        made.append(with_identity(stored, OWN, 0.1, **facts))
    made = [
        replace(entry, record=replace(entry.record, roles=entry.record.roles | {"identity_guide": OWN}))
        for entry in made
    ]
    table = table_of(*made, make("plain", shift=0.1))
    (ranking,) = table.rankings
    assert table.apart == []
    assert table.notes == []
    (row,) = (row for row in ranking.rows if row.arm == "guided")
    assert row.seeds == (0, 1)
    values = [entry.record.metrics[OWN].value for entry in made]
    assert row.cells[OWN].value == pytest.approx(sum(values) / 2)
    assert best_and_tied(ranking.rows, OWN, 200, 0) == set()
    assert ranking.protocol.metric == "st_lpips"
    with pytest.raises(UserError, match="'id_guide' is the view of a recogniser that guided"):
        table_of(*made, primary=OWN)


def test_a_view_of_the_guide_is_no_substitute(make) -> None:
    """Where the deciding metric was not measured, something else is taken."""
    stored = with_identity(make("guided", weights={"guide": "1b" * 32}), OWN, 0.1, role="identity_guide")
    metrics = {name: stored.record.metrics[name] for name in (OWN, "psnr")}
    records, _ = judged_alike([replace(stored, record=replace(stored.record, metrics=metrics, roles={}))])
    assert primary_of(records, None).name == "psnr"


def test_failed_records_guide_nobody(make) -> None:
    failed = make("guided", weights=GUIDED, status="failed", reason="NaN")
    records = [make("plain"), failed]
    assert judged_alike(records) == (records, [])
