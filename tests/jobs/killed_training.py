"""Trains a stage of each kind without a break, and once more while it is killed again and again.

Run: python -m tests.jobs.killed_training <dir>
"""

import io
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from src.checkpoints.store import read_run
from src.jobs import checkpoint_files, training_log
from src.settings.commands import TrainConfig
from tests.jobs.forked_training import Training, small, warm_up

STAGES = ("vqgan", "code_predictor", "diffusion_prior")
"""Adversarial; a single loss, on the network of the first; diffusion."""
ITERATIONS, EVERY = 64, 2
MOST = 3
IN_TIME = "in time"
KILLS = (
    *((IN_TIME, share) for share in (0.0, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0)),
    *(("half a checkpoint", n) for n in (1, 2, 2)),
    *(("before fsync", n) for n in (1, 2, 3)),
    *(("before rename", n) for n in (1, 2, 4)),
    *(("after rename", 1), ("half a line", 1), ("half a line", 3)),
)
"""Twenty moments: after a share of the time of `MOST` iterations, or at the n-th time that a process comes to it."""
AT_THE_END = (("before rename of weights", 1), ("before rename of status", 2))
"""Behind the last iteration. (A process writes the status when it starts, too.)"""
Asked = Callable[[str], bool]


def die_at(moment: str, count: int) -> None:
    """Let this process kill itself at the `count`-th `moment`."""
    left = count

    def is_now(reached: str) -> bool:
        nonlocal left
        left -= reached == moment
        return reached == moment and left == 0

    _watch_saving(is_now)
    _watch_renaming(is_now)
    _watch_lines(is_now)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _watch_saving(is_now: Asked) -> None:
    save, fsync = torch.save, os.fsync

    def watched_save(content: object, handle: io.BufferedWriter) -> None:
        if is_now("half a checkpoint"):
            whole = io.BytesIO()
            save(content, whole)
            handle.write(whole.getvalue()[: whole.tell() // 2])
            handle.flush()
            _die()
        save(content, handle)

    def watched_fsync(descriptor: int) -> None:
        if is_now("before fsync"):
            _die()
        fsync(descriptor)

    checkpoint_files.torch.save = watched_save
    os.fsync = watched_fsync


def _watch_renaming(is_now: Asked) -> None:
    rename = os.replace
    kinds = {"last.ckpt": "", "previous.ckpt": "", "status.json": " of status"}

    def watched(source: Path, target: Path) -> None:
        kind = kinds.get(Path(target).name, f" of {Path(target).parent.name}")
        if is_now(f"before rename{kind}"):
            _die()
        rename(source, target)
        if is_now(f"after rename{kind}"):
            _die()

    os.replace = watched


def _watch_lines(is_now: Asked) -> None:
    append = training_log.append_line

    def watched(path: Path, line: str) -> None:
        if is_now("half a line"):
            with path.open("a") as handle:
                handle.write(line[: len(line) // 2])
            _die()
        append(path, line)

    training_log.append_line = watched


def killed_again_and_again(config: TrainConfig, folder: Path) -> None:
    """An uninterrupted training in `whole`, and one that is killed at every moment of `KILLS` in `killed`.

    `ends.json` tells how every attempt ended: the moment, its exit status, and the state that the run was left in.
    """
    warm_up(config)
    training = Training(config, folder / "whole")
    training.wait_for_first_iteration()
    started = time.monotonic()
    assert training.ended() == 0
    period = (time.monotonic() - started) * MOST / ITERATIONS
    moments = list(KILLS)
    random.Random(0).shuffle(moments)
    ends = []
    for moment, count in [*moments, *AT_THE_END]:
        status = _killed(config, folder / "killed", moment, count, period)
        run = read_run(folder / "killed")
        ends.append([moment, status, run and run.status.state])
    ends.append(["at the end", Training(config, folder / "killed").ended(), "finished"])
    (folder / "ends.json").write_text(json.dumps(ends))


def _killed(config: TrainConfig, folder: Path, moment: str, count: float, period: float) -> int:
    if moment != IN_TIME:
        return Training(config, folder, partial(die_at, moment, int(count))).ended()
    training = Training(config, folder)
    training.wait_for_first_iteration()
    time.sleep(count * period)
    training.send(signal.SIGKILL)
    return training.ended()


def main(folder: Path) -> None:
    """A folder for every stage."""
    torch.set_num_threads(1)
    for stage in STAGES:
        upstream = [f"upstream.vqgan={folder / 'vqgan' / 'whole'}"] if stage == "code_predictor" else []
        config = small(stage, ITERATIONS, EVERY, f"run_store={folder}", *upstream)
        killed_again_and_again(config, folder / stage)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
