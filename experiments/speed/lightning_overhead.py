"""What Lightning's loop and the suite's callbacks cost a step beside the same steps in a loop written by hand."""

import itertools
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from experiments.speed.bare_loop import BareLoop
from experiments.speed.training_stages import random_batch, random_stage, training_config
from src.jobs.callbacks import ProgressBar, ScalarLog
from src.jobs.fit import build_trainer
from src.jobs.quiet import quieten
from src.stages.stage import Batch

LONG_STEP = 0.1
"""Seconds; the share of a step of this length is what the target bounds (performance.md, 14)."""
MOST_SHARE = 0.02
LOG_EVERY = 20


class StepEnds(pl.Callback):
    """When each step ended."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        """Note the time."""
        self.times.append(time.perf_counter())


def lightning_overhead(stage: str, scale: str, rounds: int, steps: int = 40) -> tuple[float, float]:
    """Median seconds of a step in a bare loop and in the trainer; small steps, so that what the loops add stands out.

    Both go over batches that lie ready; the bare loop switches no parameters off and on (`BareLoop.toggles`). On the CPU,
    without the perceptual network.
    """
    quieten()
    config = training_config(stage, scale, None, 1, f"{stage}.losses.perceptual=0")
    batches = [random_batch(config, 1) for _ in range(4)]
    bare, ours = [], []
    for _ in range(rounds):
        loop = BareLoop(random_stage(config), toggles=False)
        bare += _durations(_bare_times(loop, batches, steps))
        with tempfile.TemporaryDirectory() as folder:
            ends = StepEnds()
            own = [ProgressBar(stage, steps, False, LOG_EVERY), ScalarLog(Path(folder), LOG_EVERY), ends]
            trainer = build_trainer(config.trainer, patience=60, folder=Path(folder), callbacks=own, logger=None)
            trained = random_stage(config)
            trained.iteration = 1
            trainer.fit(
                trained, DataLoader(cast(Dataset[Batch], [batches[n % 4] for n in range(steps)]), batch_size=None)
            )
        ours += _durations(ends.times)
    return median(bare), median(ours)


def _bare_times(loop: BareLoop, batches: list[Batch], steps: int) -> list[float]:
    times = []
    for batch in itertools.islice(itertools.cycle(batches), steps):
        loop.step(batch)
        times.append(time.perf_counter())
    return times


def _durations(times: list[float]) -> list[float]:
    """The first steps warm up."""
    return [after - before for before, after in itertools.pairwise(times[5:])]


def overhead_line(stage: str, scale: str, rounds: int) -> str:
    """The measurement in one sentence."""
    bare, ours = lightning_overhead(stage, scale, rounds)
    added = ours - bare
    return (
        f"Lightning adds {1e3 * added:.2f} ms to a step of {stage} at {scale} on the CPU ({1e3 * bare:.2f} ms in a bare "
        f"loop, {1e3 * ours:.2f} ms in the trainer, {torch.get_num_threads()} threads): "
        f"{100 * added / LONG_STEP:.1f} % of a step of 100 ms (target <= {100 * MOST_SHARE:.0f} %)."
    )
