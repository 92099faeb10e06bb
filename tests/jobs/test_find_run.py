"""Find or train: once for the same command, and what is different is told."""

import json
from pathlib import Path

import pytest

from src.checkpoints.store import RunStatus, StoredRun, write_status
from src.config.compose import compose_train
from src.config.identity import effective_config
from src.jobs.find_run import found_or_trained, nearest_run
from src.jobs.upstream import CONFIG_FILE
from src.settings.commands import TrainConfig
from src.settings.errors import UserError


def kept(runs: Path, name: str, config: TrainConfig, state: str = "finished") -> StoredRun:
    folder = runs / name
    folder.mkdir(parents=True)
    (folder / CONFIG_FILE).write_text(json.dumps(effective_config(config)))
    return write_status(folder, RunStatus("vqgan", name, name, state))


def test_a_finished_run_is_found_and_an_unfinished_one_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = compose_train(["stage=vqgan"])
    trainings = []

    def train() -> StoredRun:
        trainings.append(1)
        assert (tmp_path / "run" / "training.lock").exists()
        return write_status(tmp_path / "run", RunStatus("vqgan", "id", "run", "finished"))

    status = RunStatus("vqgan", "id", "run", "running")
    for _ in range(2):
        run = found_or_trained(config, tmp_path / "run", status, train, first=True)
        assert run.is_finished
    assert trainings == [1]
    assert "vqgan run: already trained\n" in capsys.readouterr().out
    config.resume = False
    found_or_trained(config, tmp_path / "run", status, train, first=True)
    assert trainings == [1, 1]
    assert not (tmp_path / "run" / "training.lock").exists()


def test_a_failed_training_gives_the_run_back(tmp_path: Path) -> None:
    def train() -> StoredRun:
        raise RuntimeError("out of memory")

    config, status = compose_train(["stage=vqgan"]), RunStatus("vqgan", "id", "run", "running")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="out of memory"):
            found_or_trained(config, tmp_path / "run", status, train, first=True)


def test_the_others_wait_for_the_first_process_as_long_as_the_cluster_is_patient(tmp_path: Path) -> None:
    def train() -> StoredRun:
        raise AssertionError("nobody else is there")

    config = compose_train(["stage=vqgan", "cluster.patience=1"])
    status = RunStatus("vqgan", "id", "run", "running")
    with pytest.raises(UserError, match=r"run: the first process .* within cluster\.patience = 1 s"):
        found_or_trained(config, tmp_path / "run", status, train, first=False)


def test_a_changed_setting_is_named_with_the_run_that_has_most_in_common(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "vqgan"
    config = compose_train(["stage=vqgan"])
    assert nearest_run(config, runs) is None
    kept(runs, "far", compose_train(["stage=vqgan", "seed=7", "vqgan.codebook.window=9"]))
    kept(runs, "near", compose_train(["stage=vqgan", "vqgan.training.iterations=17"]))
    (runs / "damaged").mkdir()
    (runs / "damaged" / CONFIG_FILE).write_text("{")
    usual = config.vqgan.training.iterations
    found_or_trained(
        config,
        runs / "new",
        RunStatus("vqgan", "id", "new", "running"),
        lambda: write_status(runs / "new", RunStatus("vqgan", "id", "new", "finished")),
        first=True,
    )
    said = f"vqgan new: a new identity; it differs from near in vqgan.training.iterations ({usual}, there 17)\n"
    assert capsys.readouterr().out == said


def test_equal_settings_on_other_faces_are_said_to_be_that(tmp_path: Path) -> None:
    config = compose_train(["stage=vqgan"])
    kept(tmp_path, "twin", config)
    assert nearest_run(config, tmp_path) == "twin has the same settings, and other faces or upstream networks"
