"""Feeds a stage: degradation on the fly in the workers, uint8 hand-over, normalisation on the device."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from src.data.levels import to_network
from src.data.stream import StreamSampler
from src.data.training_set import TrainingSet


class FaceDataModule(pl.LightningDataModule):
    """The training stream of a stage.

    The stream starts behind the iteration that the stage has reached, so a resumed run sees the samples and degradations
    that the uninterrupted one would have seen.
    """

    def __init__(
        self,
        training_set: TrainingSet,
        *,
        batch_size: int,
        iterations: int,
        seed: int,
        workers: int,
        channels_last: bool,
    ) -> None:
        super().__init__()
        self._training_set = training_set
        self._batch_size, self._iterations, self._seed = batch_size, iterations, seed
        self._workers, self._channels_last = workers, channels_last

    def train_dataloader(self) -> DataLoader:
        """Batches of this rank from the stage's iteration on."""
        assert self.trainer is not None
        sampler = StreamSampler(
            length=len(self._training_set),
            batch_size=self._batch_size,
            seed=self._seed,
            iterations=self._iterations,
            start=getattr(self.trainer.lightning_module, "iteration", 0),
            rank=self.trainer.global_rank,
            world_size=self.trainer.world_size,
        )
        return DataLoader(
            self._training_set,
            batch_sampler=sampler,
            num_workers=self._workers,
            persistent_workers=self._workers > 0,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_one_thread if self._workers else None,
        )

    def on_after_batch_transfer(self, batch: dict[str, Any], dataloader_idx: int) -> dict[str, Any]:
        """Normalise `hq` and `lq` to [-1, 1] on the device."""
        layout = torch.channels_last if self._channels_last else torch.contiguous_format
        images = {name: to_network(batch[name]).contiguous(memory_format=layout) for name in ("hq", "lq")}
        return {**batch, **images}


def _one_thread(worker: int) -> None:
    import cv2

    cv2.setNumThreads(0)
    torch.set_num_threads(1)
