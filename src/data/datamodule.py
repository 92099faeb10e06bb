"""Feeds a stage: degradation on the fly, in the workers or on the device, uint8 hand-over, normalisation on the device."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from src.data.device_degradation import DeviceDegradation
from src.data.levels import to_network
from src.data.loader_process import one_thread
from src.data.reporting_loader import ReportingLoader
from src.data.stream import StreamSampler
from src.data.training_set import CleanFaces, collate

IMAGES = ("hq", "lq", "identity_branch", "generative_branch")
"""Entries of a batch that are faces."""


class FaceDataModule(pl.LightningDataModule):
    """The training stream of a stage.

    The stream starts behind the iteration that the stage has reached, so a resumed run sees the samples and degradations
    that the uninterrupted one would have seen. `skipped` counts the damaged images that other faces stood in for.
    """

    def __init__(
        self,
        faces: CleanFaces,
        *,
        batch_size: int,
        iterations: int,
        seed: int,
        workers: int,
        channels_last: bool,
        device_degradation: DeviceDegradation | None = None,
    ) -> None:
        super().__init__()
        self._faces = faces
        self._batch_size, self._iterations, self._seed = batch_size, iterations, seed
        self._workers, self._channels_last = workers, channels_last
        self._device_degradation = device_degradation
        self.skipped = 0

    def train_dataloader(self) -> DataLoader:
        """Batches of this rank from the stage's iteration on."""
        assert self.trainer is not None
        start = getattr(self.trainer.lightning_module, "iteration", 0)
        return self.loader(start=start, rank=self.trainer.global_rank, world_size=self.trainer.world_size)

    def loader(self, *, start: int, rank: int, world_size: int) -> DataLoader:
        """Batches of a rank, from iteration `start` + 1 on; raises what its processes raise as `UserError`."""
        sampler = StreamSampler(
            length=len(self._faces),
            batch_size=self._batch_size,
            seed=self._seed,
            iterations=self._iterations,
            start=start,
            rank=rank,
            world_size=world_size,
        )
        return ReportingLoader(
            self._faces,
            collate=collate,
            batch_sampler=sampler,
            num_workers=self._workers,
            persistent_workers=self._workers > 0,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=one_thread if self._workers else None,
        )

    def on_after_batch_transfer(self, batch: dict[str, Any], dataloader_idx: int) -> dict[str, Any]:
        """Images as channels-first tensors in [-1, 1]; degraded here if the workers did not."""
        self.skipped += batch.pop("skipped")
        keys = batch.pop("keys")
        images = {name: batch[name].permute(0, 3, 1, 2) for name in IMAGES if name in batch}
        if self._device_degradation is not None:
            images["hq"], images["lq"] = self._device_degradation(images["hq"].contiguous(), keys)
        return {**batch, **{name: self._normalised(image) for name, image in images.items()}}

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps: the place in the stream is the stage's iteration."""
        return {"skipped": self.skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Count skipped images on."""
        self.skipped = state_dict["skipped"]

    def _normalised(self, image: Tensor) -> Tensor:
        layout = torch.channels_last if self._channels_last else torch.contiguous_format
        return to_network(image).contiguous(memory_format=layout)
