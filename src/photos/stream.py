"""A stream of photos through detection and restoration: faces of several photos share a batch, order is kept."""

import time
from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from src.photos.face_batches import FaceBatches, PendingBatch
from src.photos.open_photo import PhotoOpener
from src.photos.opened import FaceCrop, OpenedPhoto

WAITING_MEGAPIXELS = 256.0
"""Photos that wait for their faces hold no more than about this, so that a folder of large ones fits the memory."""

Queued = tuple[OpenedPhoto, FaceCrop]


class RestorationStream:
    """Restores the faces of photos in batches of `batch_size` crops of one size.

    The next batch is begun before the last one is fetched, so that a GPU does not wait for the photos around it.
    """

    def __init__(self, opener: PhotoOpener, batches: FaceBatches, batch_size: int) -> None:
        self._opener = opener
        self._batches = batches
        self._batch_size = batch_size
        self._queue: deque[Queued] = deque()
        self._under_way: deque[tuple[list[Queued], list[PendingBatch], float]] = deque()

    def restore(self, photos: Iterable[OpenedPhoto]) -> Iterator[OpenedPhoto]:
        """The photos in the order in which they came, with every face restored; unread ones pass through."""
        waiting: deque[OpenedPhoto] = deque()
        for group in _groups(photos, self._batch_size):
            if readable := [opened for opened in group if opened.photo is not None]:
                self._opener.open(readable)
            waiting.extend(group)
            self._queue.extend((opened, face) for opened in group for face in opened.faces)
            self._start(least=self._batch_size)
            while _megapixels(waiting) > WAITING_MEGAPIXELS and (self._queue or self._under_way):
                self._start(least=1)
                self._fetch()
            yield from _complete(waiting)
        self._start(least=1)
        while self._under_way:
            self._fetch()
            yield from _complete(waiting)
        yield from _complete(waiting)

    def _start(self, least: int) -> None:
        """Begin batches while at least so many faces are queued."""
        while len(self._queue) >= max(least, 1):
            side = self._queue[0][1].crop.shape[0]
            batch: list[Queued] = []
            while self._queue and len(batch) < self._batch_size and self._queue[0][1].crop.shape[0] == side:
                batch.append(self._queue.popleft())
            begun = time.perf_counter()
            pending = self._batches.start(np.stack([face.crop for _, face in batch]))
            self._under_way.append((batch, pending, time.perf_counter() - begun))
            if len(self._under_way) > 1:
                self._fetch()

    def _fetch(self) -> None:
        """Bring back the oldest batch."""
        if not self._under_way:
            return
        batch, pending, spent = self._under_way.popleft()
        begun = time.perf_counter()
        results = [part.result() for part in pending]
        # What the chain was held up: on a GPU the work between start and fetch goes on beside it.
        seconds = (spent + time.perf_counter() - begun) / len(batch)
        restored = (face for faces, _ in results for face in faces)
        masks = (mask for faces, parts in results for mask in (parts if parts is not None else [None] * len(faces)))
        for (opened, face), image, mask in zip(batch, restored, masks, strict=True):
            face.restored, face.mask = image, mask
            opened.seconds["restore"] = opened.seconds.get("restore", 0.0) + seconds


def _groups(photos: Iterable[OpenedPhoto], count: int) -> Iterator[list[OpenedPhoto]]:
    """Photos that are looked at together, large ones alone."""
    group: list[OpenedPhoto] = []
    for opened in photos:
        group.append(opened)
        if len(group) == count or _megapixels(group) > WAITING_MEGAPIXELS / 8:
            yield group
            group = []
    if group:
        yield group


def _megapixels(photos: Iterable[OpenedPhoto]) -> float:
    return sum((opened.photo.colour.size / 3e6 for opened in photos if opened.photo is not None), 0.0)


def _complete(waiting: deque[OpenedPhoto]) -> Iterator[OpenedPhoto]:
    while waiting and waiting[0].is_restored:
        yield waiting.popleft()
