"""An evaluation is looked up where nothing that it depends on has changed, and done again where anything has."""

from dataclasses import replace
from pathlib import Path

import pytest

from src.checkpoints.catalogue import ENVIRONMENT_KEY
from src.checkpoints.store import RunStatus, StoredRun, write_status
from src.config.compose import compose_train
from src.config.identity import effective_config, identity, run_name
from src.jobs import completion, train_job
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


def key_of(config: TrainConfig, run: StoredRun) -> str:
    return evaluation_key(config, run, Upstreams(config, refuse))


def remembered(config: TrainConfig) -> tuple[StoredRun, Path, str]:
    run, record = finished(config), recorded(config)
    key = key_of(config, run)
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


def test_given_again_it_opens_no_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty W&B run would be left each time."""

    def opened(*_: object) -> None:
        raise AssertionError

    config = configured(tmp_path)
    remembered(config)
    monkeypatch.setattr(train_job, "_logger", opened)
    train_job.run_job(config, [])
    said = capsys.readouterr().out
    assert said.count("already trained") == said.count("already evaluated") == 1


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
    run = finished(config)
    key = key_of(config, run)
    with monkeypatch.context() as changed:
        changed.setattr(completion, "_code", lambda: "other")
        assert key_of(config, run) != key
    with monkeypatch.context() as changed:
        changed.setattr(completion, "_packages", lambda: ("torch 1",))
        assert key_of(config, run) != key
    with monkeypatch.context() as changed:
        changed.setenv(ENVIRONMENT_KEY, str(tmp_path / "weights"))
        (tmp_path / "weights").mkdir()
        assert key_of(config, run) == key
        (tmp_path / "weights" / "vgg16-397923af.pth").write_bytes(b"weights")
        assert key_of(config, run) != key
    assert key_of(config, run) == key
    for changed_status in (replace(run.status, identity="other"), replace(run.status, weights={"network": "other"})):
        assert key_of(config, replace(run, status=changed_status)) != key


def test_a_benchmark_made_anew_in_its_place_and_another_measuring_network_measure_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark = tmp_path / "benchmark"
    (benchmark / "lq").mkdir(parents=True)
    (benchmark / "lq" / "a.png").write_bytes(b"one")
    config = configured(tmp_path / "runs", "stage=vqgan", "scale=tiny64", f"benchmark.root={benchmark}")
    run = StoredRun(tmp_path, RunStatus("vqgan", "id", "name", "finished"))
    key = key_of(config, run)
    (benchmark / "lq" / "a.png").write_bytes(b"other")
    assert key_of(config, run) != key
    (benchmark / "lq" / "a.png").unlink()
    without = key_of(config, run)
    with monkeypatch.context() as changed:
        changed.setattr(completion, "network_hash", lambda found: f"retrained {found.status.stage}")
        assert key_of(config, run) != without
    assert key_of(config, run) == without
