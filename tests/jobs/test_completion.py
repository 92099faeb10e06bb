"""An evaluation is looked up where nothing that it depends on has changed, and done again where anything has."""

from dataclasses import replace
from pathlib import Path

import pytest

from src.checkpoints.catalogue import ENVIRONMENT_KEY
from src.checkpoints.store import RunStatus, StoredRun, write_status
from src.config.compose import compose_train
from src.config.identity import effective_config, identity, run_name
from src.jobs import completion
from src.jobs.completion import EVALUATED_FILE, completed_run, evaluation_key, is_evaluated, remember_evaluation
from src.jobs.record_folders import records_folder
from src.jobs.upstream import Upstreams
from src.settings.commands import TrainConfig
from src.tracking.records import RECORD_NAME


def refuse(stage: str, seed: int) -> None:
    raise AssertionError(f"{stage} would be trained")


def configured(store: Path, *overrides: str) -> TrainConfig:
    """The recogniser's run, which builds on nothing."""
    return compose_train(["stage=recogniser", f"run_store={store}", *overrides])


def finished(config: TrainConfig, state: str = "finished") -> StoredRun:
    own = identity(effective_config(config), Upstreams(config, refuse).ingredients(config.stage))
    name = run_name(config, own)
    folder = Path(config.run_store) / config.stage / name
    return write_status(folder, RunStatus(config.stage, own, name, state))


def recorded(config: TrainConfig, text: str = "{}") -> Path:
    folder = records_folder(config) / "arm"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECORD_NAME).write_text(text)
    return folder


def remembered(config: TrainConfig) -> tuple[StoredRun, Path, str]:
    run, record = finished(config), recorded(config)
    key = evaluation_key(config, run.status.identity)
    remember_evaluation(config, run, key, [record])
    return run, record, key


def test_what_is_done_is_found_and_starts_nothing(tmp_path: Path) -> None:
    config = configured(tmp_path)
    assert completed_run(config) is None
    run, _, _ = remembered(config)
    found = completed_run(config)
    assert found is not None
    assert found.folder == run.folder
    assert completed_run(replace(config, resume=False)) is None


def test_a_run_that_has_not_ended_is_not_done(tmp_path: Path) -> None:
    config = configured(tmp_path)
    remembered(config)
    finished(config, "running")
    assert completed_run(config) is None


@pytest.mark.parametrize("damage", ["changed", "removed", "forgotten", "unreadable"])
def test_records_that_are_not_as_they_were_are_made_again(tmp_path: Path, damage: str) -> None:
    config = configured(tmp_path)
    run, record, key = remembered(config)
    if damage == "changed":
        recorded(config, '{"metrics": {}}')
    elif damage == "removed":
        (record / RECORD_NAME).unlink()
    elif damage == "forgotten":
        (run.folder / EVALUATED_FILE).unlink()
    else:
        (run.folder / EVALUATED_FILE).write_text("[")
    assert not is_evaluated(config, run, key)


@pytest.mark.parametrize(
    "change",
    [
        "study=other",
        "label=other",
        "benchmark.count=5",
        "evaluation.shown_faces=1",
        "metrics.leave_out=[psnr]",
        "logger=none",
    ],
)
def test_other_questions_are_asked_again(tmp_path: Path, change: str) -> None:
    remembered(configured(tmp_path))
    assert completed_run(configured(tmp_path, change)) is None


@pytest.mark.parametrize("change", ["trainer.workers=3", "trainer.progress=false", "cluster=torchrun"])
def test_hardware_asks_nothing_new(tmp_path: Path, change: str) -> None:
    remembered(configured(tmp_path))
    assert completed_run(configured(tmp_path, change)) is not None


def test_new_code_packages_and_weights_measure_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configured(tmp_path)
    key = evaluation_key(config, "id")
    with monkeypatch.context() as changed:
        changed.setattr(completion, "_code", lambda: "other")
        assert evaluation_key(config, "id") != key
    with monkeypatch.context() as changed:
        changed.setattr(completion, "_packages", lambda: ("torch 1",))
        assert evaluation_key(config, "id") != key
    with monkeypatch.context() as changed:
        changed.setenv(ENVIRONMENT_KEY, str(tmp_path / "weights"))
        (tmp_path / "weights").mkdir()
        assert evaluation_key(config, "id") == key
        (tmp_path / "weights" / "vgg16-397923af.pth").write_bytes(b"weights")
        assert evaluation_key(config, "id") != key
    assert evaluation_key(config, "id") == key
    assert evaluation_key(config, "other") != key
