"""A process of a training that is lost, a loader's or a rank: the others end with a sentence, none of them waits."""

import gc
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import distributed
from torch.utils.data._utils import signal_handling

from src.data.damage import Stop
from src.data.datamodule import FaceDataModule
from src.data.in_order import in_order
from src.data.lost_loader import LostLoaderError, told_loss
from src.data.training_set import DegradedFaces, Sampling
from src.jobs.build_stage import degradation_plan
from src.jobs.fit import build_trainer, fit
from src.jobs.training_checkpoint import TrainingCheckpoint
from src.jobs.training_faults import told_faults
from src.jobs.training_start import Start
from tests.faults.forked_ranks import run_ranks
from tests.stages.small import RandomFaces, small_config, small_data, small_stage

SECONDS = 50.0
"""Within a minute."""
ENDLESS = 100_000
"""Iterations of a training that ends by its fault alone."""


class AtThird(pl.Callback):
    """Lets something happen to one rank after its third iteration."""

    def __init__(self, rank: int, act: Callable[[], None]) -> None:
        self._rank, self._act = rank, act

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if pl_module.iteration == 3 and trainer.global_rank == self._rank:
            self._act()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _fail() -> None:
    raise ValueError("the loss is NaN")


@pytest.mark.parametrize(("lost", "act"), [(1, _die), (0, _die), (1, _fail)])
def test_ranks_do_not_wait_for_a_lost_one(tmp_path: Path, lost: int, act: Callable[[], None]) -> None:
    config = small_config("srcnn", ENDLESS, "trainer.devices=2", "trainer.accelerator=cpu")

    def train(rank: int) -> None:
        trainer = build_trainer(
            config.trainer, patience=60, folder=tmp_path, callbacks=[AtThird(lost, act)], logger=None
        )
        fit(trainer, small_stage(config), small_data(config), Start())

    said = run_ranks(train, tmp_path, SECONDS)
    assert said[lost] == (None if act is _die else "ValueError: the loss is NaN")
    _check_told(said[1 - lost], "Connection ")


def test_a_rank_that_answers_no_more_is_given_up(tmp_path: Path) -> None:
    def wait(rank: int) -> None:
        distributed.init_process_group("gloo", timeout=timedelta(seconds=2))
        if rank == 1:
            time.sleep(6)
            os._exit(0)
        with told_faults():
            distributed.all_reduce(torch.ones(1))

    said = run_ranks(wait, tmp_path, SECONDS)
    _check_told(said[0], "Timed out")


def test_a_rank_that_hangs_in_a_training_is_given_up_after_the_patience(tmp_path: Path) -> None:
    """It is the checkpoint's callback in which the others meet it first."""
    config = small_config("srcnn", ENDLESS, "trainer.devices=2", "trainer.accelerator=cpu")

    def hang() -> None:
        while not (tmp_path / "rank0.txt").exists():
            time.sleep(0.1)
        os._exit(0)

    def train(rank: int) -> None:
        callbacks = [AtThird(1, hang), TrainingCheckpoint(tmp_path, ENDLESS, patience=5)]
        trainer = build_trainer(config.trainer, patience=600, folder=tmp_path, callbacks=callbacks, logger=None)
        fit(trainer, small_stage(config), small_data(config), Start())

    _check_told(run_ranks(train, tmp_path, SECONDS)[0], "Timed out")


def _check_told(said: str | None, reason: str) -> None:
    """Without torch's marks and addresses."""
    assert said is not None
    assert said.startswith(f"LostPeerError: another process of this training ended or does not answer ({reason}"), said
    assert said.endswith(
        "); its own message says why, then give the same command again: the training goes on from its last checkpoint"
    )
    assert "\n" not in said


@pytest.fixture
def _hears_again() -> Iterator[None]:
    """After a loss that this process was told of, later tests hear of theirs: torch sets its handler only once."""
    handler, is_set = signal.getsignal(signal.SIGCHLD), signal_handling._SIGCHLD_handler_set
    yield
    gc.collect()  # ends loaders that the error's traceback kept, of which torch would tell once more
    signal.signal(signal.SIGCHLD, handler)
    signal_handling._SIGCHLD_handler_set = is_set


@pytest.mark.usefixtures("_hears_again")
def test_a_killed_loader_process_ends_the_training(tmp_path: Path) -> None:
    """As by the OOM killer."""
    others = multiprocessing.active_children()

    def kill_a_loader() -> None:
        next(child for child in multiprocessing.active_children() if child not in others).kill()

    config = small_config("srcnn", ENDLESS, "trainer.accelerator=cpu")
    faces = DegradedFaces(RandomFaces(), degradation_plan(config), Sampling(0, 0.5, Stop()))
    data = FaceDataModule(faces, batch_size=4, iterations=ENDLESS, seed=0, workers=2, channels_last=False)
    trainer = build_trainer(
        config.trainer, patience=60, folder=tmp_path, callbacks=[AtThird(0, kill_a_loader)], logger=None
    )
    started = time.monotonic()
    with pytest.raises(LostLoaderError) as told:
        fit(trainer, small_stage(config), data, Start())
    assert time.monotonic() - started < SECONDS
    _check_loss(told.value)


def _square_or_die(number: int) -> torch.Tensor:
    if number == 30:
        _die()
    return torch.tensor(number**2)


@pytest.mark.usefixtures("_hears_again")
def test_a_killed_loader_process_ends_a_packing() -> None:
    """Which takes what processes have made ahead, and writes it meanwhile."""
    made = []
    with pytest.raises(LostLoaderError) as told, told_loss():
        made.extend(int(result) for result in in_order(_square_or_die, range(100), 2))
    assert made == [number**2 for number in range(len(made))]
    _check_loss(told.value)


LEFT = """
from src.data.in_order import in_order
results = in_order(float, range(100), 2)
next(results)
raise SystemExit(3)
"""


def test_no_process_waits_for_the_loaders_it_leaves(root: Path) -> None:
    """Which let the SIGTERM of others pass, for the sake of the trainer."""
    assert subprocess.run([sys.executable, "-c", LEFT], cwd=root, timeout=SECONDS).returncode == 3


def _check_loss(told: LostLoaderError) -> None:
    # What is seen of it first is left to chance.
    by_torch = "killed by signal: Killed|exited unexpectedly"
    by_system = "Connection reset by peer|Connection refused|No such file or directory|EOFError"
    said = rf"workers: a loader process ended \(({by_torch}|{by_system})\), as when memory runs out; take .*"
    assert re.fullmatch(said, str(told))
