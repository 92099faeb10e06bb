"""Restores photos and videos: reading, restoring and writing overlap, and a bad file does not stop the others."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from src.photos.compose import Composer
from src.photos.opened import OpenedPhoto
from src.photos.photo_file import Photo, read_photo
from src.photos.plan import PhotoFile
from src.photos.stream import RestorationStream
from src.photos.write import report_of, write_report, write_result
from src.settings.errors import UserError


@dataclass(frozen=True)
class Outcome:
    """What became of one input."""

    file: PhotoFile
    problem: str | None = None
    """Why it was not restored, or where a video broke off."""
    faces: int = 0
    frames: int = 0
    """Pictures that were restored: 1 for a photo."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Time by part."""
    shown: list[tuple[Any, Any]] = field(default_factory=list)
    """Crops and restored faces for the grid."""


@dataclass(frozen=True)
class Restoration:
    """The parts that turn photos into results."""

    stream: RestorationStream
    composer: Composer
    workers: int
    """Threads that decode and encode."""
    greatest_megapixels: float

    def photos(self, files: Sequence[PhotoFile]) -> Iterator[Outcome]:
        """Restore photos and write what comes of each; one outcome a file, in their order.

        Raises:
            UserError: a result cannot be written, or one face does not fit the device's memory.
        """
        with ThreadPoolExecutor(self.workers) as readers, ThreadPoolExecutor(self.workers) as writers:
            opened = overlapped(readers, self._read, files, ahead=self.workers)
            finished = overlapped(writers, self._finish, self.stream.restore(opened), ahead=2 * self.workers)
            yield from finished

    def _read(self, file: PhotoFile) -> OpenedPhoto:
        opened = OpenedPhoto(file, None)
        try:
            with opened.timed("decode"):
                opened.photo = read_photo(file.source, self.greatest_megapixels)
        except UserError as error:
            opened.problem = str(error)
            return opened
        opened.original_size = size_of(opened.photo)
        return opened

    def _finish(self, opened: OpenedPhoto) -> Outcome:
        if opened.photo is None:
            return Outcome(opened.file, opened.problem)
        with opened.timed("paste"):
            result = self.composer.compose(opened)
        write_result(opened, result)
        write_report(opened.file, report_of(opened))
        pairs = [(face.crop, face.restored) for face in opened.faces]
        return Outcome(opened.file, None, len(opened.faces), 1, opened.seconds, pairs)


def size_of(photo: Photo) -> tuple[int, int]:
    """Width and height."""
    return photo.colour.shape[1], photo.colour.shape[0]


def overlapped(pool: ThreadPoolExecutor, function: Any, items: Iterable[Any], *, ahead: int) -> Iterator[Any]:
    """`function` of every item in order, computed in the pool for up to `ahead` items that were not yet asked for."""
    running: deque[Future[Any]] = deque()
    try:
        for item in items:
            running.append(pool.submit(function, item))
            if len(running) > ahead:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        for future in running:
            future.cancel()
