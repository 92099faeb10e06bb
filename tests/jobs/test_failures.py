"""Records of failures: of the last attempt, by the process that knows why, and gone when the job is done."""

from dataclasses import replace
from pathlib import Path

import pytest

from src.config.compose import compose_train
from src.jobs import sweep, train_job
from src.jobs.failures import write_failure
from src.jobs.processes import PARENT_VARIABLE
from src.jobs.record_folders import clear_failure, failure_folder, has_failed
from src.jobs.sweep_plan import Progress
from src.jobs.training_faults import LostPeerError
from src.settings.commands import TrainConfig
from src.tracking.records import read_records


def reason(config: TrainConfig) -> str | None:
    (stored,) = read_records(failure_folder(config)).records
    return stored.record.reason


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainConfig:
    """A job of a sweep of one."""
    monkeypatch.setattr(Progress(), "jobs", [["arm=all_fixed"]])
    return compose_train(["arm=all_fixed", f"run_store={tmp_path}", "logger=none"])


def test_a_job_that_is_done_has_failed_no_more(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    write_failure(config, ["arm=all_fixed"], "no account")
    monkeypatch.setattr(sweep, "completed_run", lambda config: object())
    monkeypatch.setattr("src.jobs.objective.read_objective", lambda config, label: 0.5)
    assert sweep.launch_job(config, ["arm=all_fixed"], 0) == 0.5
    assert not has_failed(config, config.label)


def test_a_job_that_dies_silently_does_not_keep_the_reason_of_an_earlier_attempt(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_failure(config, ["arm=all_fixed"], "no account")
    monkeypatch.setattr(sweep, "run_training", lambda config, overrides: -9)
    sweep.launch_job(config, ["arm=all_fixed"], 0)
    assert reason(config) == "the process ended with exit status -9 without a message"


def test_a_process_that_only_lost_another_one_leaves_its_reason(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PARENT_VARIABLE, "1")

    def fail(error: Exception) -> None:
        def run(config: TrainConfig, overrides: list[str]) -> None:
            raise error

        monkeypatch.setattr(train_job, "_run", run)
        with pytest.raises(type(error)):
            train_job.run_job(config, [])

    fail(LostPeerError("another process ended"))
    assert reason(config) == "another process ended", "somebody must say it"
    clear_failure(config)
    fail(ValueError("the loss is NaN"))
    fail(LostPeerError("another process ended"))
    assert reason(config) == "the loss is NaN"


def test_other_labels_keep_theirs(config: TrainConfig) -> None:
    other = replace(config, label="other")
    for each in (config, other):
        write_failure(each, [], "why")
    clear_failure(config)
    assert has_failed(config, "other")
    assert not has_failed(config, config.label)
