"""Restores files in batches; a file that cannot be read does not stop the others."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8
from tqdm import tqdm

from src.data.image_file import write_png
from src.data.levels import to_levels, to_network
from src.restorers.base import Restorer
from src.restorers.face_files import FaceFile, read_face
from src.settings.errors import UserError

Image = UInt8[np.ndarray, "s s 3"]


@dataclass(frozen=True)
class RestoredFace:
    """A face that was written."""

    file: FaceFile
    lq: Image
    """The input as the method saw it."""
    image: Image
    seconds: float
    """Time of its batch in the method, per face."""


@dataclass(frozen=True)
class UnreadFace:
    """A face that was not restored."""

    file: FaceFile
    problem: str


def restore_files(
    restorer: Restorer, files: Sequence[FaceFile], *, batch_size: int, device: torch.device, progress: bool
) -> Iterator[RestoredFace | UnreadFace]:
    """Read, restore and write each file; yields one outcome a file, the unread ones as they are met.

    Raises:
        UserError: a result cannot be written, or a batch does not fit the device's memory.
    """
    with tqdm(total=len(files), desc="restoring", unit="image", disable=None if progress else True) as bar:
        for batch in _batches(restorer, files, batch_size):
            if isinstance(batch, UnreadFace):
                yield batch
                bar.update()
                continue
            yield from _restore_batch(restorer, batch, device)
            bar.update(len(batch))


def _batches(
    restorer: Restorer, files: Sequence[FaceFile], batch_size: int
) -> Iterator[list[tuple[FaceFile, Image]] | UnreadFace]:
    """Faces of one size together, at most `batch_size`."""
    batch: list[tuple[FaceFile, Image]] = []
    for file in files:
        try:
            face = read_face(file.source, restorer.image_size)
        except UserError as error:
            yield UnreadFace(file, str(error))
            continue
        if batch and (len(batch) == batch_size or batch[0][1].shape != face.shape):
            yield batch
            batch = []
        batch.append((file, face))
    if batch:
        yield batch


def _restore_batch(
    restorer: Restorer, batch: list[tuple[FaceFile, Image]], device: torch.device
) -> Iterator[RestoredFace]:
    lq = np.stack([face for _, face in batch])
    start = time.perf_counter()
    try:
        restored = _restored(restorer, lq, device)
    except torch.OutOfMemoryError:
        raise UserError(f"batch_size: {len(batch)} faces do not fit the memory of {device}; take fewer") from None
    seconds = (time.perf_counter() - start) / len(batch)
    for (file, face), image in zip(batch, restored, strict=True):
        write_png(file.target, image)
        yield RestoredFace(file, face, image, seconds)


def _restored(
    restorer: Restorer, lq: UInt8[np.ndarray, "b s s 3"], device: torch.device
) -> UInt8[np.ndarray, "b s s 3"]:
    images = torch.from_numpy(lq).permute(0, 3, 1, 2).contiguous().to(device)
    levels = to_levels(restorer.restore(to_network(images)))
    return levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
