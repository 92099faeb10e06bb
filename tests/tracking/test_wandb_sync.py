"""Sending offline runs to a local stand-in of a W&B server, and what happens if it does not take them."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from src.settings.errors import UserError
from src.tracking.wandb_file import read_log
from src.tracking.wandb_segments import find_segments, staging_of
from src.tracking.wandb_sync import SyncReport, sync_runs
from tests.tracking.wandb_stub import WandbStub, wandb_stub

NOBODY = "http://127.0.0.1:9"  # the discard port: nothing listens


@pytest.fixture
def store(offline_runs: Path, tmp_path: Path) -> Path:
    """A copy of the offline runs that may be changed."""
    return Path(shutil.copytree(offline_runs, tmp_path / "store", symlinks=True))


@pytest.fixture
def account(no_account: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key, and little patience."""
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_MODE", "offline")  # must not keep anything from being sent
    for part in ("GRAPHQL", "FILE_STREAM", "FILE_TRANSFER"):
        monkeypatch.setenv(f"WANDB__{part}_RETRY_MAX", "1")
        monkeypatch.setenv(f"WANDB__{part}_RETRY_WAIT_MIN_SECONDS", "0.01")
        monkeypatch.setenv(f"WANDB__{part}_RETRY_WAIT_MAX_SECONDS", "0.1")


@pytest.fixture
def server(account: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbStub]:
    """The stand-in, which the environment names as the server."""
    with wandb_stub() as stub:
        monkeypatch.setenv("WANDB_BASE_URL", stub.url)
        yield stub


def _sync(root: Path, *, dry_run: bool = False, project: str | None = None) -> SyncReport:
    return sync_runs(root, project=project, entity=None, dry_run=dry_run)


def _outcomes(report: SyncReport) -> list[tuple[str, str]]:
    return [(entry.segment.run_id, entry.outcome) for entry in report.segments]


def test_everything_arrives_in_order_and_only_once(server: WandbStub, store: Path) -> None:
    report = _sync(store)
    assert (report.failed, _outcomes(report)) == (0, [("abc123", "sent"), ("abc123", "sent"), ("eval99", "sent")])
    assert "3 sent" in report.text
    _check_run(server)
    _check_artifacts(server, store)
    asked = len(server.operations)
    again = _sync(store)
    assert {outcome for _, outcome in _outcomes(again)} == {"sent before"}
    assert len(server.operations) == asked


def _check_run(server: WandbStub) -> None:
    run = server.runs["abc123"]
    rows = [run.history[line] for line in sorted(run.history)]
    losses = [(row["train/iteration"], row["train/loss"]) for row in rows if "train/loss" in row]
    assert losses == [(iteration, pytest.approx(1.0 / (1 + iteration))) for iteration in range(500)]
    assert {"final/psnr": 23.5, "final/psnr@w0_5": 23.5, "final/psnr@input": 20.0}.items() <= run.summary.items()
    assert (run.about["project"], run.about["groupName"], run.about["jobType"]) == ("suite", "sweep", "cft")
    assert sorted(run.about["tags"]) == ["cft", "codeformer", "mine", "synthetic_faces", "tiny64"]
    assert (run.config["seed"]["value"], run.config["benchmark_hash"]["value"]) == (3, "bench")
    evaluation = server.runs["eval99"]
    assert (evaluation.about["jobType"], run.exit_code, evaluation.exit_code) == ("evaluate", 0, 1)


def _check_artifacts(server: WandbStub, store: Path) -> None:
    """The table with its pictures and the uploaded weights are there; of the referenced weights only the manifest."""
    by_name = {artifact["artifactCollectionName"]: artifact for artifact in server.artifacts}
    assert set(server.committed) == {artifact["id"] for artifact in server.artifacts}
    kinds = {artifact["artifactTypeName"] for artifact in server.artifacts}
    assert kinds == {"run_table", "model"}
    assert "final" in [entry["alias"] for entry in by_name["uploaded"]["aliases"]]
    (segment,) = (found for found in find_segments(store) if staging_of(found, read_log(found.log)).files)
    staged = staging_of(segment, read_log(segment.log))
    assert not staged.moved, "the log was brought up to date"
    assert {entry.name for entry in staged.files} > {"final/faces.table.json", "codeformer.safetensors"}
    for entry in staged.files:
        assert entry.found is not None
        assert server.artifact_file(entry.name) == entry.found.read_bytes()
    reference = by_name["cft-all_fixed"]["id"]
    assert [name for name in server.uploads if name.startswith(f"{reference}/")] == [f"{reference}/manifest"]
    assert b"file://" in server.uploads[f"{reference}/manifest"]


def test_a_table_that_the_server_refuses_fails_its_run_alone(server: WandbStub, store: Path) -> None:
    server.broken = re.compile(r"PUT .*faces\.table\.json")
    find_segments(store)[0].marker.touch()
    report = _sync(store, project="elsewhere")
    assert _outcomes(report) == [("abc123", "sent before"), ("abc123", "failed"), ("eval99", "sent")]
    assert report.failed == 1
    sentence = report.segments[1].sentence
    assert "faces.table.json" in sentence
    assert "500" in sentence
    assert "\n" not in sentence
    assert server.runs["eval99"].about["project"] == "elsewhere"
    server.broken = None
    assert _outcomes(_sync(store)) == [("abc123", "sent before"), ("abc123", "sent"), ("eval99", "sent before")]
    assert server.artifact_file("final/faces.table.json")


@pytest.mark.parametrize("refusal", ["HTTP 500", "refused"])
def test_a_server_that_is_not_there_costs_a_sentence(
    server: WandbStub, store: Path, refusal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.broken = re.compile(".")
    if refusal == "refused":
        monkeypatch.setenv("WANDB_BASE_URL", NOBODY)
    report = _sync(store / "evaluations")
    assert report.failed == 1
    assert refusal in report.segments[0].sentence
    assert "\n" not in report.segments[0].sentence
    assert not report.segments[0].segment.marker.exists()


def test_a_dry_run_lists_and_sends_nothing(no_account: Path, store: Path) -> None:
    report = _sync(store, dry_run=True)
    assert {outcome for _, outcome in _outcomes(report)} == {"listed"}
    assert "0 staged files" in report.segments[0].sentence
    assert re.search(r"[1-9] staged files \d+\.\d kB", report.segments[1].sentence)
    assert "3 listed" in report.text


def test_without_a_login_or_a_folder_there_is_one_sentence(no_account: Path, store: Path) -> None:
    with pytest.raises(UserError, match="wandb login"):
        _sync(store)
    with pytest.raises(UserError, match="is not a folder"):
        _sync(store / "nowhere")


def test_a_lost_file_is_named_and_the_run_kept_back(server: WandbStub, store: Path) -> None:
    run = store / "cft" / "run"
    shutil.rmtree(run / "wandb" / "data")
    first, second = find_segments(run)
    first.marker.touch()
    report = _sync(run)
    assert _outcomes(report) == [("abc123", "sent before"), ("abc123", "failed")]
    assert re.search(r"final/faces\.table\.json of artifact .* and \d more .* is gone", report.segments[1].sentence)
    assert not second.marker.exists()
    assert not server.operations


def test_a_later_part_waits_for_an_earlier_one(no_account: Path, store: Path) -> None:
    first, _ = find_segments(store / "cft")
    first.log.write_bytes(b"no log")
    report = _sync(store, dry_run=True)
    assert _outcomes(report) == [("abc123", "failed"), ("abc123", "waits"), ("eval99", "listed")]
    assert report.failed == 2


def test_a_run_that_still_goes_on_is_left_alone_and_a_killed_one_is_not(no_account: Path, store: Path) -> None:
    (segment,) = find_segments(store / "evaluations")
    segment.log.write_bytes(segment.log.read_bytes()[:-1])  # the last record is the end
    while any(entry.outcome == "listed" for entry in _sync(store / "evaluations", dry_run=True).segments):
        whole = read_log(segment.log)
        cut = len(whole[-1]) + 1
        segment.log.write_bytes(segment.log.read_bytes()[:-cut])
    running = _sync(store / "evaluations", dry_run=True)
    assert (_outcomes(running), running.failed) == ([("eval99", "running")], 0)
    os.utime(segment.log, (0, 0))
    assert _outcomes(_sync(store / "evaluations", dry_run=True)) == [("eval99", "listed")]


def test_a_second_copy_is_not_sent_again(no_account: Path, store: Path) -> None:
    shutil.copytree(store / "evaluations", store / "backup", symlinks=True)
    report = _sync(store, dry_run=True)
    assert [outcome for _, outcome in _outcomes(report)].count("copy") == 1
