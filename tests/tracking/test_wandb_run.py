"""The W&B view: where it goes, and what an offline run holds."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

from src.settings.commands import LoggerSettings
from src.settings.errors import UserError
from src.tracking.wandb_run import wandb_mode

SCRIPT = """
import sys
from dataclasses import replace
from pathlib import Path
import numpy as np
import pandas as pd
from src.settings.commands import LoggerSettings
from src.tracking.records import Cost, MetricValue, Record, StoredRecord, write_record
from src.tracking.wandb_run import finish, lightning_logger, log_evaluation

folder = Path(sys.argv[1])
settings = LoggerSettings(kind="wandb", project="suite", entity=None, mode="auto", tags=["test"])
logger = lightning_logger(settings, run_dir=folder, run_id="abc123", name="tiny-cft", group="sweep", job_type="cft",
                          config={"seed": 3, "commit": "0123"})
try:
    for iteration in range(500):
        logger.log_metrics({"train/loss": 1.0 / (1 + iteration), "train/iteration": iteration}, step=2 * iteration)
    definition = {"id": "psnr", "role": "psnr", "direction": "higher"}
    record = Record(study="s", arm="all_fixed", stage="cft", run="r", identity="abc123", created="2030", question="",
        seed=3, restorer="codeformer", fidelity=0.5, adain=None, baseline=False, status="finished", reason=None,
        commit="0123", dirty=False, command="", config={}, benchmark={}, weights={},
        metrics={"psnr": MetricValue(definition, 23.5, 2, 0, None)})
    table = pd.DataFrame({"name": ["face_0", "face_1"], "psnr": [23.0, 24.0]})
    write_record(folder / "w0.5", record, table)
    baseline = replace(record, arm="input", baseline=True, fidelity=None,
                       metrics={"psnr": MetricValue(definition, 20.0, 2, 0, None)})
    stored = [StoredRecord(record, folder / "w0.5"), StoredRecord(baseline, folder / "none")]
    picture = np.zeros((8, 8, 3), np.uint8)
    log_evaluation(logger.experiment, stored, {"face_1": {"LQ": picture, "w=0.5": picture, "HQ": picture + 255}})
finally:
    finish()
"""


def _settings(mode: str) -> LoggerSettings:
    return LoggerSettings(kind="wandb", project="p", entity=None, mode=mode, tags=[])


@pytest.fixture
def no_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Environment without W&B settings; returns the netrc file that is looked at."""
    for name in [key for key in os.environ if key.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return tmp_path / "netrc"


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


def test_an_offline_run_holds_what_was_logged(
    root: Path, tmp_path: Path, no_account: Path, wandb_records: Callable[[Path], list[Any]]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(root), "HOME": str(home), "OMP_NUM_THREADS": "1"}
    run = tmp_path / "run"
    command = [sys.executable, "-c", SCRIPT, str(run)]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    files = list(run.glob("wandb/offline-run-*-abc123/run-abc123.wandb"))
    assert len(files) == 1
    assert not list(home.rglob("*wandb*")), "files outside the run folder would be lost when it is copied"
    records = wandb_records(files[0])
    _check_identity(records)
    _check_curves(records)
    _check_evaluation(records, files[0].parent)


def _check_identity(records: list[Any]) -> None:
    run = next(record.run for record in records if record.HasField("run"))
    assert (run.run_id, run.project, run.display_name) == ("abc123", "suite", "tiny-cft")
    assert (run.run_group, run.job_type, list(run.tags)) == ("sweep", "cft", ["test"])
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert (config["seed"], config["commit"]) == (3, "0123")
    axes = {record.metric.glob_name: record.metric.step_metric for record in records if record.HasField("metric")}
    assert (axes["train/*"], axes["val/*"]) == ("train/iteration", "train/iteration")


def _check_curves(records: list[Any]) -> None:
    rows = [_items(record.history) for record in records if record.HasField("history")]
    losses = {row["train/iteration"]: row["train/loss"] for row in rows if "train/loss" in row}
    assert losses == {iteration: 1.0 / (1 + iteration) for iteration in range(500)}


def _check_evaluation(records: list[Any], folder: Path) -> None:
    summary: dict[str, Any] = {}
    for record in records:
        if record.HasField("summary"):
            summary |= _items(record.summary, "update")
    assert summary["final/psnr@w0.5"] == 23.5
    assert summary["final/psnr@input"] == 20.0
    assert len(list(folder.glob("files/media/table/final/faces*.table.json"))) == 1
    artifacts = [record.artifact for record in records if record.HasField("artifact")]
    assert [artifact.type for artifact in artifacts] == ["run_table"]
    staged = {entry.path: Path(entry.local_path) for entry in artifacts[0].manifest.contents}
    assert all(path.is_relative_to(folder.parent) for path in staged.values())
    table = json.loads(staged["final/faces.table.json"].read_text())
    assert table["columns"] == ["name", "LQ", "w=0.5", "HQ", "psnr@w0.5"]
    (row,) = table["data"]
    assert (row[0], row[-1]) == ("face_1", 24.0)
    levels = [cv2.imread(str(staged[picture["path"]])).mean() for picture in row[1:4]]
    assert levels == [0.0, 0.0, 255.0]


def _items(message: Any, field: str = "item") -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in getattr(message, field)}
