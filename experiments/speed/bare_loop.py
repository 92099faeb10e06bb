"""A stage trained without Lightning's loop: what a loop written by hand would cost, and what Lightning adds."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.optim import SGD, Optimizer

from src.stages.stage import SHARE, Batch, Stage


class BareTrainer:
    """The few things that a stage asks of its trainer, for one process: optimisers, backward, and no hooks."""

    world_size, global_rank = 1, 0

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self.optimizers = list(optimizers)
        self.strategy = _OneProcess([PlainOptimizer(optimizer) for optimizer in self.optimizers])


class PlainOptimizer(LightningOptimizer):
    """What a stage takes for an optimiser, without the hooks around its step."""

    def step(self, closure: Any = None, **_: Any) -> Any:
        """The optimiser's own step."""
        return self.optimizer.step()


class _OneProcess:
    def __init__(self, optimizers: list[PlainOptimizer]) -> None:
        self._lightning_optimizers = optimizers

    def backward(self, loss: Tensor, *_: object, **__: object) -> None:
        loss.backward()

    def reduce(self, value: Tensor, **_: object) -> Tensor:
        return value

    def broadcast(self, value: Tensor, **_: object) -> Tensor:
        return value

    def all_gather(self, value: Tensor, **_: object) -> Tensor:
        return value


class Motionless(SGD):
    """In the place of an optimiser where there is nothing to move, as on the meta device; holds the same parameters."""

    def __init__(self, optimizer: Optimizer) -> None:
        groups = [{"params": group["params"], SHARE: group[SHARE]} for group in optimizer.param_groups]
        super().__init__(groups, lr=0.0)


def optimizers_of(stage: Stage) -> list[Optimizer]:
    """Those that the stage configures; on the meta device, which theirs do not know, motionless ones."""
    optimizers = cast(list[Optimizer], stage.configure_optimizers())
    return [Motionless(optimizer) for optimizer in optimizers] if stage.device.type == "meta" else optimizers


class BareLoop:
    """Steps of a stage on batches that are there.

    `toggles` keeps Lightning's switching between the parameters of two optimisers, which a loop by hand does not need:
    without it every number stays the same.
    """

    def __init__(self, stage: Stage, *, precision: str = "fp32", toggles: bool = True) -> None:
        self.stage, self.precision = stage.train(), precision
        attached = cast(Any, stage)
        attached.trainer = BareTrainer(optimizers_of(stage))
        if not toggles:
            attached.toggled_optimizer = lambda optimizer: nullcontext()
        # At the first iteration some stages set themselves up.
        stage.iteration = max(stage.iteration, 1)

    def step(self, batch: Batch) -> None:
        """One iteration, left running on a GPU. Raises NotFiniteError as in training."""
        with self._arithmetic():
            self.stage.training_step(batch, self.stage.iteration)

    def _arithmetic(self) -> AbstractContextManager[Any]:
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.stage.device.type, torch.bfloat16)

    def is_finite(self) -> bool:
        """Whether the terms of the last step are numbers."""
        return all(math.isfinite(value.item()) for value in self.stage.scalars.values())
