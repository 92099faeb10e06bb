"""Restores aligned faces in batches, without waiting for a GPU before the next batch has begun."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from src.data.levels import to_levels, to_network
from src.photos.parsing import FaceParser
from src.restorers.base import Restorer
from src.settings.errors import UserError

Faces = UInt8[np.ndarray, "b s s 3"]
Masks = Float[np.ndarray, "b s s"]


@dataclass(frozen=True, eq=False)
class PendingBatch:
    """A batch on its way back from the device."""

    _faces: UInt8[Tensor, "b s s 3"]
    _masks: Float[Tensor, "b s s"] | None
    _arrived: torch.cuda.Event | None

    def result(self) -> tuple[Faces, Masks | None]:
        """The restored faces, and the parts of the face in each where a parser is at work."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return self._faces.numpy(), None if self._masks is None else self._masks.numpy()


class FaceBatches:
    """A restorer, and a face parser if there is one, on a device."""

    def __init__(self, restorer: Restorer, parser: FaceParser | None, device: torch.device) -> None:
        self._restorer = restorer
        self._parser = parser
        self._device = device

    def start(self, crops: Faces) -> list[PendingBatch]:
        """Begin to restore; more than one batch where the device's memory asks for smaller ones.

        Raises:
            UserError: not even one face fits the memory.
        """
        try:
            return [self._started(crops)]
        except torch.OutOfMemoryError:
            if len(crops) == 1:
                raise UserError(
                    f"device: one face does not fit the memory of {self._device}; take device=cpu"
                ) from None
        half = len(crops) // 2
        return [*self.start(crops[:half]), *self.start(crops[half:])]

    @torch.inference_mode()
    def _started(self, crops: Faces) -> PendingBatch:
        on_gpu = self._device.type == "cuda"
        host = torch.from_numpy(crops)
        lq = (host.pin_memory() if on_gpu else host).to(self._device, non_blocking=on_gpu).permute(0, 3, 1, 2)
        # One key: a method that draws gives a face the same noise in every photo, and in every frame of a video.
        restored = self._restorer.restore(to_network(lq.contiguous()), keys=[0] * len(crops))
        masks = None if self._parser is None else self._parser.masks(restored)
        faces = to_levels(restored).permute(0, 2, 3, 1).contiguous()
        if not on_gpu:
            return PendingBatch(faces, masks, None)
        back = _to_host(faces), None if masks is None else _to_host(masks)
        arrived = torch.cuda.Event()
        arrived.record()
        return PendingBatch(*back, arrived)


def _to_host(tensor: Tensor) -> Tensor:
    pinned = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return pinned.copy_(tensor, non_blocking=True)
