"""The W&B view: where it goes, and what an offline run holds."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import cv2
import pytest

from src.settings.commands import LoggerSettings
from src.settings.errors import UserError
from src.tracking.wandb_run import evaluation_run, wandb_mode
from tests.tracking.offline_file import config_of, items, messages, summary_of

Logs = dict[str, list[Any]]


def _settings(mode: str, kind: str = "wandb") -> LoggerSettings:
    return LoggerSettings(kind=kind, project="p", entity=None, mode=mode, tags=[], checkpoint=False)


def test_mode(no_account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wandb_mode(_settings("auto")) == "offline"
    with pytest.raises(UserError, match="wandb login"):
        wandb_mode(_settings("online"))
    with pytest.raises(UserError, match="'onlin' is not one of"):
        wandb_mode(_settings("onlin"))
    no_account.write_text("machine api.wandb.ai login user password secret\n")
    assert wandb_mode(_settings("auto")) == "online"
    assert wandb_mode(_settings("offline")) == "offline"
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert wandb_mode(_settings("auto")) == "offline"
    monkeypatch.setenv("WANDB_API_KEY", "key")
    assert wandb_mode(_settings("auto")) == "online"
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert wandb_mode(_settings("auto")) == "offline"
    assert wandb_mode(_settings("online")) == "online"


def test_no_logger_no_run(tmp_path: Path) -> None:
    given: dict[str, Any] = {"folder": tmp_path, "run_id": "x", "name": "x", "group": "g", "config": {}}
    with evaluation_run(_settings("auto", kind="none"), **given) as run:
        assert run is None
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def logs(offline_runs: Path) -> Logs:
    """Records of the three offline runs: the stopped and the continued part of a training, and an evaluation."""
    paths = sorted(offline_runs.glob("cft/run/wandb/offline-run-*-abc123/run-abc123.wandb"))
    evaluations = list(offline_runs.glob("evaluations/broken/wandb/offline-run-*-eval99/run-eval99.wandb"))
    names = ("stopped", "continued", "evaluation")
    return {name: messages(path) for name, path in zip(names, [*paths, *evaluations], strict=True)}


def test_a_run_says_what_it_is(logs: Logs, root: Path) -> None:
    for part in ("stopped", "continued"):
        run = next(record.run for record in logs[part] if record.HasField("run"))
        assert (run.run_id, run.project, run.display_name) == ("abc123", "suite", "tiny-cft")
        assert (run.run_group, run.job_type) == ("sweep", "cft")
        assert sorted(run.tags) == ["cft", "codeformer", "mine", "synthetic_faces", "tiny64"]
        config = config_of(logs[part])
        assert (config["seed"], config["commit"], config["cft"]) == (3, "0123", {"adain": True})
        assert isinstance(config["dirty"], bool)
    assert config_of(logs["continued"])["benchmark_hash"] == "bench"


def test_curves_stand_over_iterations_in_both_parts(logs: Logs) -> None:
    both = [*logs["stopped"], *logs["continued"]]
    axes = {record.metric.glob_name: record.metric.step_metric for record in both if record.HasField("metric")}
    assert (axes["train/*"], axes["val/*"]) == ("train/iteration", "train/iteration")
    rows = [items(record.history) for record in both if record.HasField("history")]
    losses = [(row["train/iteration"], row["train/loss"]) for row in rows if "train/loss" in row]
    assert losses == [(iteration, 1.0 / (1 + iteration)) for iteration in range(500)]


def test_final_numbers_are_plain_numbers_of_the_summary(logs: Logs) -> None:
    final = {key: value for key, value in summary_of(logs["continued"]).items() if key.startswith("final/psnr")}
    assert final == {"final/psnr": 23.5, "final/psnr@w0_5": 23.5, "final/psnr@input": 20.0}


def test_the_face_table_has_a_row_a_face(logs: Logs, offline_runs: Path) -> None:
    staged = {
        entry.path: _where_it_lies_now(entry.local_path, offline_runs)
        for artifact in _artifacts(logs["continued"], "run_table")
        for entry in artifact.manifest.contents
    }
    table = json.loads(staged["final/faces.table.json"].read_text())
    assert table["columns"] == ["id", "severity", "LQ", "w=0.5", "HQ", "psnr@w0.5"]
    measured, failed = table["data"]
    assert (measured[0], measured[1], measured[-1]) == ("face_0", 2.0, 23.0)
    assert (failed[0], failed[1], failed[-1]) == ("face_1", 16.0, None)
    assert [cv2.imread(str(staged[picture["path"]])).mean() for picture in measured[2:5]] == [0.0, 0.0, 255.0]
    picture = {key: value for key, value in summary_of(logs["continued"]).items() if key.startswith("final/face_grid/")}
    (stored,) = offline_runs.glob(f"cft/run/wandb/offline-run-*/files/{picture['final/face_grid/path']}")
    assert cv2.imread(str(stored)).shape[:2] == (picture["final/face_grid/height"], picture["final/face_grid/width"])


def test_a_checkpoint_is_a_reference_unless_it_is_to_be_uploaded(logs: Logs, offline_runs: Path) -> None:
    found = {artifact.name: artifact for artifact in _artifacts(logs["continued"], "model")}
    assert set(found) == {"cft-all_fixed", "uploaded"}
    sha256 = {"codeformer.safetensors": hashlib.sha256(b"weights").hexdigest()}
    for artifact in found.values():
        assert "final" in artifact.aliases
        assert json.loads(artifact.metadata)["sha256"] == sha256
        assert [entry.path for entry in artifact.manifest.contents] == ["codeformer.safetensors"]
    assert json.loads(found["cft-all_fixed"].metadata)["arm"] == "all_fixed"
    (reference,) = found["cft-all_fixed"].manifest.contents
    assert reference.ref.startswith("file://")
    assert not reference.local_path
    (upload,) = found["uploaded"].manifest.contents
    weights = offline_runs / "cft/run/weights/codeformer.safetensors"
    assert _where_it_lies_now(upload.local_path, offline_runs) == weights, "a copy for the upload doubles the storage"


def test_an_evaluation_is_a_run_of_its_own_that_ends_even_if_it_fails(logs: Logs, root: Path) -> None:
    run = next(record.run for record in logs["evaluation"] if record.HasField("run"))
    assert (run.run_id, run.run_group, run.job_type) == ("eval99", "sweep", "evaluate")
    (end,) = [record.exit for record in logs["evaluation"] if record.HasField("exit")]
    assert end.exit_code == 1
    config = config_of(logs["evaluation"])
    assert config["seed"] == 7
    here = subprocess.run(["git", "rev-parse", "--verify", "HEAD"], cwd=root, capture_output=True, text=True)
    assert config["commit"] == (here.stdout.strip() or "unknown")


def _artifacts(records: list[Any], kind: str) -> list[Any]:
    return [record.artifact for record in records if record.HasField("artifact") and record.artifact.type == kind]


def _where_it_lies_now(path: str, store: Path) -> Path:
    """The store was moved after it was written."""
    return store / Path(path).relative_to(store.parent / "written")
