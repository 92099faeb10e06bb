"""Signals end a training with a checkpoint, a defined exit status, and nothing lost; launchers wait for that."""

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning.plugins.environments import LightningEnvironment, SLURMEnvironment

from src.jobs import interruption
from src.jobs.fit import build_trainer, cluster_environment, fit
from src.jobs.interruption import INTERRUPTED, STOP_SIGNALS, Interrupted, StopSignals
from src.jobs.training_start import LOST, find_start
from tests.jobs.broken_off import trained_by
from tests.jobs.submitted_job import CHILD, Submitted
from tests.jobs.test_resume import assert_same_run
from tests.stages.small import small_config, small_data, small_stage

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers"),
]


@pytest.fixture(scope="module")
def stopped(root: Path, tmp_path_factory: pytest.TempPathFactory, forked_python: str) -> Path:
    """The folders of `stopped_training`."""
    return trained_by("tests.jobs.stopped_training", tmp_path_factory.mktemp("stopped"), forked_python, root)


def attempts(folder: Path, scenario: str) -> list[Any]:
    return json.loads((folder / "attempts.json").read_text())[scenario]


def test_a_signal_before_the_first_iteration_ends_the_process(stopped: Path) -> None:
    first = attempts(stopped, "signals")[0]
    assert (first["status"], first["iteration"]) == (INTERRUPTED, 0)


@pytest.mark.parametrize("scenario", ["signals", "loaders"])
def test_a_signal_leaves_a_checkpoint_and_the_same_training_in_the_end(stopped: Path, scenario: str) -> None:
    *broken_off, last = [attempt for attempt in attempts(stopped, scenario) if attempt["iteration"]]
    assert [attempt["status"] for attempt in broken_off] == [INTERRUPTED] * 2
    assert [attempt["state"] for attempt in broken_off] == ["interrupted"] * 2
    assert 0 < broken_off[0]["iteration"] < broken_off[1]["iteration"] < 40
    assert (last["status"], last["state"]) == (0, "finished")
    assert_same_run(stopped / scenario, stopped / "whole")


def test_damaged_checkpoints_are_told_in_the_status_and_change_nothing(stopped: Path) -> None:
    first, second, third, last = attempts(stopped, "damaged")
    assert first["iteration"] < second["iteration"]
    assert first["iteration"] < third["iteration"]
    assert LOST not in second["facts"]
    [passed_over] = third["facts"][LOST]
    assert "last.ckpt cannot be used (it is damaged" in passed_over
    assert passed_over.endswith(f"goes on from iteration {first['iteration']}")
    assert last["facts"][LOST][0] == passed_over
    assert last["facts"][LOST][1].endswith("starts from the beginning")
    assert_same_run(stopped / "damaged", stopped / "whole")


def test_ranks_stop_at_one_iteration_and_go_on_as_if_nothing_had_been(stopped: Path) -> None:
    whole, one_was_asked, killed, first_was_asked, last = attempts(stopped, "ranks")
    for pair in (one_was_asked, first_was_asked):
        # The first one tells the launcher; another one that failed would have it kill the first.
        assert [rank["status"] for rank in pair] == [INTERRUPTED, 0]
        assert pair[0]["state"] == "interrupted"
    assert [rank["status"] for rank in killed] == [-9, -9]
    assert [rank["status"] for rank in (*whole, *last)] == [0] * 4
    assert_same_run(stopped / "ranks" / "broken", stopped / "ranks" / "whole")


def test_signals_are_waited_for_only_while_the_training_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    signals = StopSignals()
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    with signals.caught():
        signals.defer()
        os.kill(os.getpid(), signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGINT)  # within a moment: the same request, passed on
        assert signals.received == signal.SIGUSR2
        monkeypatch.setattr(interruption, "REPEATED", 0.0)
        os.kill(os.getpid(), signal.SIGTERM)  # schedulers repeat it
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), signal.SIGINT)
        signals.at_once()
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), signal.SIGTERM)
    assert {number: signal.getsignal(number) for number in STOP_SIGNALS} == handlers


def test_lightning_neither_requeues_nor_resumes_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLURM_NTASKS": "1", "SLURM_JOB_NAME": "job", "SLURM_JOB_ID": "7", "SLURM_PROCID": "0"}.items():
        monkeypatch.setenv(name, value)
    for name in ("SLURM_LOCALID", "SLURM_NODEID"):
        monkeypatch.setenv(name, "0")
    config = small_config("srcnn", 2)
    (tmp_path / "hpc_ckpt_1.ckpt").write_bytes(b"left by another tool")
    found = cluster_environment()
    assert isinstance(found, SLURMEnvironment)
    assert not found.auto_requeue
    trainer, stage = (
        build_trainer(config.trainer, patience=60, folder=tmp_path, callbacks=[], logger=None),
        small_stage(config),
    )
    fit(trainer, stage, small_data(config), find_start(tmp_path, stage))
    assert stage.iteration == 2
    monkeypatch.setenv("RANK", "0")
    assert isinstance(cluster_environment(), LightningEnvironment)


PARENT = "import os, sys; from src.jobs.child_process import run_child; print(run_child(sys.argv[1:], os.environ))"


def launched(root: Path, command: Sequence[str], environment: dict[str, str]) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *command], cwd=root, env=os.environ | environment, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("number", STOP_SIGNALS)
@pytest.mark.parametrize("rank", [0, 1])
def test_a_launcher_passes_a_signal_on_and_waits(root: Path, tmp_path: Path, number: int, rank: int) -> None:
    saved = tmp_path / "saved"
    environment = {"RANK": str(rank)} if rank else {}
    command = ["-c", PARENT, sys.executable, "-c", CHILD, str(saved)]
    with launched(root, command, environment) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "child started\n"
        parent.send_signal(number)
        assert parent.stdout.read() == ""
    assert parent.returncode == (0 if rank else INTERRUPTED)
    assert saved.exists()
    with launched(root, command, environment) as parent:
        assert parent.communicate()[0] == "child continued\n0\n"
    assert parent.returncode == 0


@pytest.mark.parametrize(
    ("ending", "expected"), [("sys.exit(3)", 0), ("sys.exit(75)", 75), ("os.kill(os.getpid(), 15)", 75)]
)
def test_a_failure_is_a_status_and_a_stop_is_not(root: Path, ending: str, expected: int) -> None:
    command = ["-c", PARENT, sys.executable, "-c", f"import os, sys; {ending}"]
    with launched(root, command, {}) as parent:
        assert parent.communicate()[0] == ("3\n" if expected == 0 else "")
    assert parent.returncode == expected


def test_submitit_requeues_after_the_child_has_saved(root: Path, tmp_path: Path) -> None:
    from submitit.core.utils import DelayedSubmission, JobPaths
    from submitit.local.local import LOCAL_REQUEUE_RETURN_CODE

    saved, paths = tmp_path / "saved", JobPaths(tmp_path, "7")
    job = DelayedSubmission(Submitted(saved))
    job.set_timeout(1, 1)
    job.dump(paths.submitted_pickle)
    task = {"JOB_ID": "7", "NTASKS": "1", "JOB_NUM_NODES": "1", "NODEID": "0", "GLOBALID": "0", "LOCALID": "0"}
    environment = {f"SUBMITIT_LOCAL_{name}": value for name, value in task.items()} | {"SUBMITIT_EXECUTOR": "local"}
    command = ["-m", "submitit.core._submit", str(tmp_path)]
    with launched(root, command, environment) as first:
        assert first.stdout is not None
        assert any(line == "child started\n" for line in iter(first.stdout.readline, ""))
        first.send_signal(signal.SIGUSR2)
        assert "Requeued job 7" in first.communicate()[0] + _log(paths)
    assert first.returncode == LOCAL_REQUEUE_RETURN_CODE
    assert saved.exists()
    with launched(root, command, environment) as second:
        assert "child continued\n" in second.communicate()[0]
    assert pickle.loads(paths.result_pickle.read_bytes()) == ("success", 0)


def _log(paths: Any) -> str:
    return "".join(path.read_text() for path in (paths.stdout, paths.stderr) if path.exists())
