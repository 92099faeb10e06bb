"""A checkpoint that is damaged, foreign or would execute code is passed over; what is written is whole or not there."""

import os
import pickle
import resource
import shutil
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from src.checkpoints.files import UnwrittenFileError
from src.jobs.checkpoint_files import (
    CheckpointFiles,
    UnsoundCheckpointError,
    checked_iteration,
    last_checkpoint,
    previous_checkpoint,
    write_checkpoint,
)
from src.jobs.fit import build_trainer, fit
from src.jobs.training_checkpoint import TrainingCheckpoint
from src.jobs.training_start import Start, find_start, set_aside
from src.settings.errors import UserError
from src.stages.stage import Stage
from tests.stages.small import small_config, small_data, small_stage, small_trainer
from tests.untrusted.hostile_pickles import RunsCode

pytestmark = pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
ITERATIONS = 4


@cache
def stage() -> Stage:
    """What the checkpoints are compared with, and is not changed."""
    return small_stage(small_config("srcnn", ITERATIONS))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with checkpoints of iterations 2 and 4."""
    folder = tmp_path_factory.mktemp("run")
    config = small_config("srcnn", ITERATIONS)
    trainer = small_trainer(folder, TrainingCheckpoint(folder, 2, patience=60), plugins=[CheckpointFiles()])
    trainer.fit(small_stage(config), datamodule=small_data(config))
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return shutil.copytree(trained, tmp_path / "run")


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1000)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def one_bit(path: Path) -> None:
    """`torch.load` does not notice it."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    torch.load(path, weights_only=True)


def bare_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(RunsCode(path.with_name("executed"))))


def pickled_code(path: Path) -> None:
    content = torch.load(path, weights_only=True)
    torch.save({**content, "loops": RunsCode(path.with_name("executed"))}, path)


def incomplete(path: Path) -> None:
    content = torch.load(path, weights_only=True)
    torch.save({name: value for name, value in content.items() if name != "optimizer_states"}, path)


def weights_alone(path: Path) -> None:
    torch.save(torch.load(path, weights_only=True)["state_dict"], path)


def other_network(path: Path) -> None:
    content = torch.load(path, weights_only=True)
    name = next(iter(content["state_dict"]))
    content["state_dict"][name] = content["state_dict"][name][:1]
    torch.save(content, path)


def other_groups(path: Path) -> None:
    content = torch.load(path, weights_only=True)
    content["optimizer_states"][0]["param_groups"][0]["params"].pop()
    torch.save(content, path)


def other_length(path: Path) -> None:
    torch.save(torch.load(path, weights_only=True) | {"iteration": ITERATIONS + 1}, path)


DAMAGES = {
    truncated: "damaged",
    empty: "damaged",
    one_bit: "not those that were written",
    bare_pickle: "damaged",
    pickled_code: "could execute code",
    incomplete: "lacks optimizer_states",
    weights_alone: "no checkpoint of a training",
    other_network: "1 of its tensors, such as .* not those of this stage",
    other_groups: "optimisers train other parameters",
    other_length: "its iteration is 5",
}


def test_the_newest_is_taken(run: Path) -> None:
    assert find_start(run, stage()) == Start(last_checkpoint(run), 4)
    last_checkpoint(run).unlink()  # as between the two renamings
    assert find_start(run, stage()) == Start(previous_checkpoint(run), 2)
    assert find_start(run / "elsewhere", stage()) == Start()


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_an_unsound_one_is_passed_over_and_told(
    damage: Callable[[Path], None], run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(last_checkpoint(run))
    with pytest.raises(UnsoundCheckpointError, match=DAMAGES[damage]):
        checked_iteration(last_checkpoint(run), stage())
    start = find_start(run, stage())
    assert (start.checkpoint, start.iteration) == (previous_checkpoint(run), 2)
    set_aside(start)
    assert "last.ckpt cannot be used" in capsys.readouterr().out
    names = {path.name for path in last_checkpoint(run).parent.iterdir()}
    assert names == {"last.ckpt.unsound", "previous.ckpt"}  # nothing was executed


def test_without_a_sound_one_it_starts_from_the_beginning(run: Path) -> None:
    truncated(last_checkpoint(run))
    empty(previous_checkpoint(run))
    start = find_start(run, stage())
    assert start.checkpoint is None
    assert start.told is not None
    assert start.told.count("cannot be used") == 2
    assert start.told.endswith("starts from the beginning")
    set_aside(start)
    assert find_start(run, stage()) == Start()


def test_a_disk_that_refuses_to_read_is_no_damage(run: Path) -> None:
    last_checkpoint(run).unlink()
    last_checkpoint(run).mkdir()
    with pytest.raises(UserError, match=r"last\.ckpt: cannot be read \(Is a directory\)"):
        find_start(run, stage())


def test_damaged_bytes_are_found_or_do_not_matter(run: Path) -> None:
    path, rng = last_checkpoint(run), np.random.default_rng(0)
    whole = path.read_bytes()
    expected = torch.load(path, weights_only=True)["state_dict"]
    found = 0
    for place in rng.integers(0, len(whole), 40):
        damaged = bytearray(whole)
        damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            assert checked_iteration(path, stage()) == 4
        except UnsoundCheckpointError:
            found += 1
        else:
            loaded = torch.load(path, weights_only=True)["state_dict"]
            assert all(torch.equal(loaded[name], expected[name]) for name in expected)
    assert found > 10


def test_a_full_disk_leaves_the_older_one(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "last.ckpt"
    write_checkpoint({"iteration": 1, "content": torch.zeros(10)}, path)
    kept, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(
            UnwrittenFileError, match=r"last\.ckpt: cannot be written \(File too large\); free some space"
        ):
            write_checkpoint({"iteration": 2, "content": torch.zeros(100_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == kept
    assert [found.name for found in path.parent.iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize("kept", [{"FaceDataModule": {"skipped": 3}}, {}])
def test_skipped_images_are_counted_on_where_a_checkpoint_counts_them(run: Path, kept: dict[str, object]) -> None:
    path, config = previous_checkpoint(run), small_config("srcnn", ITERATIONS)
    content = torch.load(path, weights_only=True)
    assert content.pop("FaceDataModule") == {"skipped": 0}
    torch.save(content | kept, path)
    data = small_data(config)
    small_trainer(run).fit(small_stage(config), datamodule=data, ckpt_path=path, weights_only=True)
    assert data.skipped == (3 if kept else 0)


def test_the_trainer_runs_nothing_that_a_checkpoint_holds(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a file that was exchanged after `find_start` has read it, and where torch is told to trust what it loads."""
    pickled_code(last_checkpoint(run))
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    config = small_config("srcnn", ITERATIONS, "trainer.accelerator=cpu")
    trainer = build_trainer(config.trainer, patience=60, folder=run, callbacks=[], logger=None)
    with pytest.raises(pickle.UnpicklingError):
        fit(trainer, small_stage(config), small_data(config), Start(last_checkpoint(run)))
    assert not last_checkpoint(run).with_name("executed").exists()


def test_what_is_written_bears_check_sums(trained: Path) -> None:
    with zipfile.ZipFile(last_checkpoint(trained)) as archive:
        assert all(entry.CRC for entry in archive.infolist() if entry.file_size > 1000)
