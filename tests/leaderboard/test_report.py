"""The W&B report: what it says, which keys its panels read, and that a server gets it."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from src.leaderboard.assemble import Choices, study_tables
from src.leaderboard.report import publish_report, shared_settings, swept_knobs
from src.leaderboard.study import StudyTable
from src.settings.errors import UserError
from src.tracking.records import StoredRecord
from src.tracking.wandb_final import final_numbers
from tests.tracking.wandb_stub import WandbStub, wandb_stub

pytest.importorskip("wandb_workspaces")

Tables = list[StudyTable]


@pytest.fixture
def records(make: Any) -> list[StoredRecord]:
    """Two arms at three fidelities, which differ in one switch, and the input."""
    made = [
        make(arm, fidelity, shift=shift, config={"seed": 0, "cft": {"adain": arm == "with", "fused_sizes": [8]}})
        for arm, shift in (("with", 0.0), ("without", 0.2))
        for fidelity in (0.0, 0.5, 1.0)
    ]
    return [*made, make("input", None, baseline=True, restorer="identity")]


@pytest.fixture
def tables(records: list[StoredRecord]) -> Tables:
    """The study of these records."""
    return study_tables(records, Choices(resamples=200))


@pytest.fixture
def no_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key anywhere."""
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.fixture
def server(no_account: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbStub]:
    """A stand-in of the server, with an account."""
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    with wandb_stub() as stub:
        monkeypatch.setenv("WANDB_BASE_URL", stub.url)
        yield stub


def _dry(tables: Tables) -> dict[str, Any]:
    return json.loads(publish_report(tables, project="suite", entity=None, dry_run=True))


def _blocks(report: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [block for block in report["spec"]["blocks"] if block["type"] == kind]


def _panels(report: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    (grid,) = _blocks(report, "panel-grid")
    panels = grid["metadata"]["panelBankSectionConfig"]["panels"]
    return [panel["config"] for panel in panels if panel["viewType"] == kind]


def test_the_report_says_what_the_leaderboard_found(no_account: None, tables: Tables) -> None:
    answer = _dry(tables)
    assert (answer["sent"], answer["why"], answer["project"]) == (False, "dry_run", "suite")
    (report,) = answer["reports"]
    text = json.dumps(report, ensure_ascii=False)
    (ranking,) = tables[0].rankings
    assert report["title"] == "made_up"
    assert report["description"] == ranking.verdict
    assert "Which arm is best?" in text
    (table,) = _blocks(report, "markdown-block")
    ranked = [line.split("|")[2].strip() for line in table["content"].splitlines() if re.match(r"\| \d", line)]
    assert ranked == ["with", "without"]


def test_panels_read_keys_that_runs_write(no_account: None, tables: Tables, records: list[StoredRecord]) -> None:
    written = {f"summary:{key}" for key in final_numbers(records)}
    (report,) = _dry(tables)["reports"]
    scatters = _panels(report, "Scatter Plot")
    assert [(plot["xAxis"], plot["yAxis"]) for plot in scatters] == [
        (f"summary:final/fd_mobilenetv2@{setting}", f"summary:final/id/cos_mobilefacenet@{setting}")
        for setting in ("w0", "w0_5", "w1")
    ]
    assert all({plot["xAxis"], plot["yAxis"]} <= written for plot in scatters)
    (plot,) = _panels(report, "Parallel Coordinates Plot")
    axes = {column["accessor"]: column.get("inverted") for column in plot["columns"]}
    assert list(axes)[:2] == ["config:label.value", "config:cft.value.adain"]
    metrics = {key: inverted for key, inverted in axes.items() if key.startswith("summary:")}
    assert set(metrics) <= written
    assert (metrics["summary:final/st_lpips@w0"], metrics["summary:final/psnr@w0"]) == (True, False)
    assert _panels(report, "Media Browser")[0]["mediaKeys"] == ["final/face_grid", "final/faces"]
    assert '"final/faces"' in json.dumps(_panels(report, "Weave"))
    assert len(_panels(report, "Run Comparer")) == 1


def test_the_runs_table_shows_the_study_alone(no_account: None, tables: Tables) -> None:
    (report,) = _dry(tables)["reports"]
    (grid,) = _blocks(report, "panel-grid")
    (runset,) = grid["metadata"]["runSets"]
    (condition,) = runset["filters"]["filters"]
    assert (condition["key"]["name"], condition["op"], condition["value"]) == ("group", "=", "made_up")
    (order,) = runset["sort"]["keys"]
    assert (order["key"]["name"], order["ascending"]) == ("final/st_lpips@w0", True)
    assert runset["runFeed"]["columnVisible"]["config:cft.value.adain"] is True


def test_each_benchmark_has_its_own_runs(no_account: None, make: Any, records: list[StoredRecord]) -> None:
    other = make("with", 0.5, benchmark={"hash": "other", "name": "other", "split": "test", "n": 64})
    (report,) = _dry(study_tables([*records, other], Choices(resamples=200)))["reports"]
    conditions = [grid["metadata"]["runSets"][0]["filters"]["filters"] for grid in _blocks(report, "panel-grid")]
    assert [filters[-1]["value"] for filters in conditions] == ["bench" * 8, "other"]
    assert all("benchmark_hash" in filters[-1]["key"]["name"] for filters in conditions)


def test_knobs_and_settings_of_the_ranked_rows(tables: Tables) -> None:
    rows = tables[0].rankings[0].rows
    assert swept_knobs(rows) == ["cft.adain"]
    assert shared_settings(rows) == ["w0", "w0.5", "w1"]
    assert shared_settings([row for row in rows if row.arm == "input"]) == []


def test_without_a_login_the_answer_is_what_would_be_sent(no_account: None, tables: Tables) -> None:
    answer = json.loads(publish_report(tables, project="suite", entity="team", dry_run=False))
    assert answer["sent"] is False
    assert "wandb login" in answer["why"]


def test_without_the_package_there_is_one_sentence(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb_workspaces.reports.v2", None)
    with pytest.raises(UserError, match=r"pip install \.\[report\]"):
        publish_report(tables, project="suite", entity=None, dry_run=True)


def test_a_server_gets_the_report(server: WandbStub, tables: Tables) -> None:
    address = publish_report(tables, project="suite", entity=None, dry_run=False)
    assert re.fullmatch(re.escape(server.url) + r"/team/suite/reports/made_up--\w+", address)
    (view,) = server.views
    assert (view["entityName"], view["projectName"], view["displayName"]) == ("team", "suite", "made_up")
    (runset,) = [grid["metadata"]["runSets"][0] for grid in _blocks({"spec": json.loads(view["spec"])}, "panel-grid")]
    assert (runset["project"]["entityName"], runset["project"]["name"]) == ("team", "suite")


def test_a_project_that_is_not_there_costs_a_sentence(server: WandbStub, tables: Tables) -> None:
    server.absent_projects.add("nowhere")
    with pytest.raises(
        UserError, match=r"did not take the report of made_up in project 'nowhere'.*send the runs first"
    ):
        publish_report(tables, project="nowhere", entity="team", dry_run=False)
    assert not server.views
