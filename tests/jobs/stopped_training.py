"""Trains a small stage without a break, and once more while it is stopped by signals and its checkpoints are damaged.

Run: python -m tests.jobs.stopped_training <dir>
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.environments.lightning import find_free_network_port

from src.checkpoints.store import read_run
from src.jobs import train_run
from src.jobs.checkpoint_files import last_checkpoint, previous_checkpoint
from src.settings.commands import TrainConfig
from src.stages.stage import Stage
from tests.jobs.forked_training import Training, small, warm_up

STAGE = "vqgan"
ITERATIONS = 40
NEVER = 1000
"""No checkpoint but those of signals."""


def told(folder: Path, status: int) -> dict[str, Any]:
    """How an attempt ended."""
    run = read_run(folder)
    path = last_checkpoint(folder)
    iteration = torch.load(path, weights_only=True)["iteration"] if path.exists() else 0
    return {
        "status": status,
        "state": run.status.state if run else None,
        "iteration": iteration,
        "facts": run.status.facts if run else {},
    }


def stopped(config: TrainConfig, folder: Path, number: int, everyone: bool = False) -> dict[str, Any]:
    """Send a signal after the first iteration, to the loader processes too if `everyone` is to have it."""
    training = Training(config, folder, os.setpgrp if everyone else lambda: None)
    training.wait_for_first_iteration()
    os.killpg(training.number, number) if everyone else training.send(number)
    return told(folder, training.ended())


def stopped_before(config: TrainConfig, folder: Path) -> dict[str, Any]:
    """A signal while the stage is built."""

    def interrupted_build() -> None:
        build = train_run.build_stage

        def watched(*arguments: Any) -> Stage:
            os.kill(os.getpid(), signal.SIGTERM)
            return build(*arguments)

        train_run.build_stage = watched

    return told(folder, Training(config, folder, interrupted_build).ended())


def stopped_by_signals(config: TrainConfig, folder: Path) -> list[dict[str, Any]]:
    """Stopped by one signal after the other, and trained to the end."""
    attempts = [stopped_before(config, folder)]
    attempts += [stopped(config, folder, number) for number in (signal.SIGTERM, signal.SIGINT)]
    return [*attempts, told(folder, Training(config, folder).ended())]


def stopped_with_loaders(config: TrainConfig, folder: Path) -> list[dict[str, Any]]:
    """As a scheduler stops a job: all of its processes get the signal."""
    attempts = [stopped(config, folder, number, everyone=True) for number in (signal.SIGTERM, signal.SIGUSR2)]
    return [*attempts, told(folder, Training(config, folder).ended())]


def damaged(config: TrainConfig, folder: Path) -> list[dict[str, Any]]:
    """Stopped twice, so that there are two checkpoints; the last one is cut off, later both are."""
    attempts = [stopped(config, folder, signal.SIGTERM) for _ in range(2)]
    _cut_off(last_checkpoint(folder))
    attempts.append(stopped(config, folder, signal.SIGTERM))
    for path in (last_checkpoint(folder), previous_checkpoint(folder)):
        _cut_off(path)
    return [*attempts, told(folder, Training(config, folder).ended())]


def _cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 2 // 3)


def two_ranks(config: TrainConfig, folder: Path) -> list[list[dict[str, Any]]]:
    """Two ranks without a break in `whole`; in `broken` the second one alone gets a signal, then both are killed."""
    attempts = [_pair(config, folder / "whole", lambda pair: None)]
    for do in (lambda pair: pair[1].send(signal.SIGTERM), _kill, lambda pair: pair[0].send(signal.SIGUSR2)):
        attempts.append(_pair(config, folder / "broken", do))
    attempts.append(_pair(config, folder / "broken", lambda pair: None))
    return attempts


def _kill(pair: list[Training]) -> None:
    for training in pair:
        training.send(signal.SIGKILL)


def _pair(config: TrainConfig, folder: Path, do: Callable[[list[Training]], None]) -> list[dict[str, Any]]:
    port = find_free_network_port()
    pair = [Training(config, folder, partial(_take_rank, rank, port)) for rank in range(2)]
    for training in pair:
        training.wait_for_first_iteration()
    do(pair)
    return [told(folder, training.ended()) for training in pair]


def _take_rank(rank: int, port: int) -> None:
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": 2, "NODE_RANK": 0}
    os.environ |= {name: str(value) for name, value in (group | {"RANK": rank, "LOCAL_RANK": rank}).items()}


def main(folder: Path) -> None:
    """Write how all attempts ended to `attempts.json`."""
    torch.set_num_threads(1)
    at_signals = partial(small, STAGE, ITERATIONS, NEVER, f"run_store={folder}")
    config = at_signals()
    warm_up(config)
    attempts: dict[str, Any] = {"whole": [told(folder / "whole", Training(config, folder / "whole").ended())]}
    attempts["signals"] = stopped_by_signals(config, folder / "signals")
    attempts["loaders"] = stopped_with_loaders(at_signals("trainer.workers=2"), folder / "loaders")
    attempts["damaged"] = damaged(config, folder / "damaged")
    both = ("trainer.devices=2", "trainer.strategy=ddp")
    attempts["ranks"] = two_ranks(small(STAGE, ITERATIONS, 3, f"run_store={folder}", *both), folder / "ranks")
    (folder / "attempts.json").write_text(json.dumps(attempts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
