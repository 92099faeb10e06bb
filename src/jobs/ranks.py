"""The processes that evaluate together, as started by `torchrun`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, cast

import torch
from torch import distributed

from src.settings.commands import TrainerSettings

Part = TypeVar("Part")
PATIENCE = timedelta(hours=12)
"""How long processes wait for the first one, which may measure a whole reference set."""


@dataclass(frozen=True)
class Ranks:
    """This process among `count` ones; a single one talks to nobody."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes and prints."""
        return self.rank == 0

    def share(self, n: int) -> range:
        """The faces of this process, of `n`: neighbours, at most one more than any other process has."""
        return range(n * self.rank // self.count, n * (self.rank + 1) // self.count)

    def gather(self, part: Part) -> list[Part]:
        """The parts of all processes, in each of them; all have to call it."""
        if self.count == 1:
            return [part]
        parts: list[Part | None] = [None] * self.count
        distributed.all_gather_object(parts, part)
        return cast(list[Part], parts)

    @contextmanager
    def first_one_first(self) -> Iterator[None]:
        """The first process runs the block before all others: what it fetches or caches is there for them."""
        if self.count > 1 and not self.is_first:
            distributed.barrier()
        yield
        if self.count > 1 and self.is_first:
            distributed.barrier()


def own_device(device: torch.device) -> torch.device:
    """The GPU of this process among those of its machine, as `torchrun` numbers them; a CPU is shared."""
    if device.type != "cuda":
        return device
    own = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(own)
    return own


def training_device(trainer: TrainerSettings) -> torch.device:
    """What this process computes on beside its trainer: caches before the training, and the evaluation after it."""
    use_gpu = trainer.accelerator != "cpu" and torch.cuda.is_available()
    return own_device(torch.device("cuda" if use_gpu else "cpu"))


def is_first_rank() -> bool:
    """Whether this process is the first of a training, whoever started its processes."""
    placed = os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0"))
    return int(os.environ.get("LOCAL_RANK", "0")) == 0 and int(placed) == 0


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """The process group that `torchrun` describes in the environment, or this process alone.

    What is gathered are arrays in memory, hence gloo, also between GPUs.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Ranks()
        return
    distributed.init_process_group("gloo", timeout=PATIENCE)
    try:
        yield Ranks(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
