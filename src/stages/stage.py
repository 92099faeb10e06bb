"""What every stage shares: the iteration counter, learning rates, the weight average and the guard against NaN."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Adam, Optimizer
from torch.profiler import record_function

from src.settings.errors import UserError
from src.settings.stages import TrainingSettings
from src.stages.learning_rate import learning_rate_at

Batch = dict[str, Any]
SHARE = "share"
"""Key in an optimiser's groups: factor on the stage's learning rate."""


class NotFiniteError(UserError):
    """A loss term became NaN or infinite; the message names the term and the iteration."""


class Stage(pl.LightningModule):
    """One training stage with manual optimisation.

    `iteration` counts batches from 1 (Lightning's `global_step` counts optimiser steps, twice a batch in GAN stages) and
    is saved with the checkpoint; every schedule reads it. `scalars` holds the terms of the last iteration.
    """

    kind: str

    def __init__(self, training: TrainingSettings, seed: int) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.training_settings = training
        self.seed = seed
        self.iteration = 0
        self.scalars: dict[str, Tensor] = {}

    @property
    def places(self) -> range:
        """Places in the global batch of an iteration that this rank's faces have (`StreamSampler`)."""
        world = self.trainer.world_size
        return range(self.trainer.global_rank, self.training_settings.batch_size, world)

    @abstractmethod
    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Train on one batch of normalised images; return the named scalar terms, detached."""

    @abstractmethod
    def preview(self, batch: Batch) -> dict[str, Tensor]:
        """Named image columns "b 3 h w" in [-1, 1] of the averaged network, for a face grid."""

    @abstractmethod
    def save_weights(self, folder: Path, facts: dict[str, str]) -> dict[str, str]:
        """Write the averaged networks to `folder`; return SHA-256 by kind of network."""

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Count the iteration, set the learning rate, train."""
        self.iteration += 1
        self._set_learning_rate()
        self.scalars = self.step(batch)

    def require_finite(self, terms: dict[str, Tensor]) -> None:
        """Raise `NotFiniteError` naming the terms that are NaN or infinite.

        Costs a device synchronisation, so that stages call it every iteration on the CPU and at log steps elsewhere.
        """
        if torch.isfinite(torch.stack([value.detach().float() for value in terms.values()])).all():
            return
        bad = ", ".join(name for name, value in terms.items() if not torch.isfinite(value))
        raise NotFiniteError(
            f"{self.kind}: {bad} became NaN or infinite at iteration {self.iteration}; lower the learning rate, or use "
            "trainer.precision=32-true"
        )

    def guard(self, terms: dict[str, Tensor], every: int = 50) -> None:
        """Check the terms before the optimiser step: always on the CPU, every `every` iterations on other devices."""
        if self.device.type == "cpu" or self.iteration % every == 0:
            self.require_finite(terms)

    def adam(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """Adam with the stage's rates; fused where the device has it."""
        return self.adam_groups([(parameters, 1.0)])

    def adam_groups(self, groups: Sequence[tuple[Iterable[nn.Parameter], float]]) -> Optimizer:
        """`adam` for groups of parameters, each with its share of the stage's learning rate; empty ones are left out."""
        settings = self.training_settings
        beta1, beta2 = settings.betas
        trained = [([weight for weight in weights if weight.requires_grad], share) for weights, share in groups]
        named = [{"params": weights, SHARE: share} for weights, share in trained if weights]
        return Adam(named, lr=settings.learning_rate.initial, betas=(beta1, beta2), fused=True)

    def two_optimizers(self) -> tuple[LightningOptimizer, LightningOptimizer]:
        """Those of generator and discriminator."""
        optimizers = self.optimizers()
        assert isinstance(optimizers, list)
        return optimizers[0], optimizers[1]

    def descend(self, optimizer: Any, loss: Tensor) -> None:
        """One optimiser step down the gradient of `loss`, clipped to the stage's greatest norm."""
        optimizer.zero_grad(set_to_none=True)
        with record_function("backward"):
            self.manual_backward(loss)
        with record_function("optimizer"):
            if limit := self.training_settings.gradient_clip:
                clip_grad_norm_([weight for group in optimizer.param_groups for weight in group["params"]], limit)
            optimizer.step()

    def _set_learning_rate(self) -> None:
        settings = self.training_settings
        rate = learning_rate_at(settings.learning_rate, self.iteration, settings.iterations)
        optimizers = self.optimizers()
        for optimizer in optimizers if isinstance(optimizers, list) else [optimizers]:
            for group in optimizer.param_groups:
                group["lr"] = rate * group.get(SHARE, 1.0)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the iteration; refuse to save weights that a NaN may have reached."""
        if self.scalars:
            self.require_finite(self.scalars)
        checkpoint["iteration"] = self.iteration

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue counting where the checkpoint stopped."""
        self.iteration = int(checkpoint["iteration"])
