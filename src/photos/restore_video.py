"""Restores a video frame by frame; sound and presentation times are kept."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from tqdm import tqdm

from src.photos.opened import OpenedPhoto
from src.photos.photo_file import Photo
from src.photos.plan import PhotoFile
from src.photos.restoration import Outcome, Restoration, overlapped, size_of
from src.photos.video_reader import VideoReader
from src.photos.video_writer import VideoWriter
from src.photos.write import comparison, faces_of, write_faces, write_picture, write_report
from src.settings.errors import UserError
from src.settings.restore import VideoSettings

SHOWN_FACES = 4
"""Faces of a video that may come into the grid."""


class VideoRestoration:
    """One video through the parts of a `Restoration`."""

    def __init__(self, restoration: Restoration, settings: VideoSettings, *, progress: bool) -> None:
        self._restoration = restoration
        self._settings = settings
        self._progress = progress

    def restore(self, file: PhotoFile) -> Outcome:
        """Write the restored video, a comparison of its first frame, and a report of every frame.

        A video that breaks off is restored up to there, and the outcome says so.

        Raises:
            UserError: a result cannot be written.
        """
        try:
            reader = VideoReader(file.source)
        except UserError as error:
            return Outcome(file, str(error))
        with reader:
            return self._restored(file, reader)

    def _restored(self, file: PhotoFile, reader: VideoReader) -> Outcome:
        total = _Total(file)
        frames = _Frames(file, reader)
        workers = self._restoration.workers
        with ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(workers))
            bar = stack.enter_context(
                tqdm(
                    total=reader.facts.frames,
                    desc=file.source.name,
                    unit="frame",
                    leave=False,
                    disable=None if self._progress else True,
                )
            )
            restored = self._restoration.stream.restore(frames)
            writer: VideoWriter | None = None
            for opened, result in overlapped(pool, self._composed, restored, ahead=2 * workers):
                if writer is None:
                    writer = stack.enter_context(
                        VideoWriter(file.result, like=file.source, size=size_of(result), quality=self._settings.quality)
                    )
                    write_picture(file.comparison, comparison(opened.photo.eight_bit, result.eight_bit))
                with opened.timed("encode"):
                    writer.write(result.colour, opened.time)
                if self._settings.save_faces:
                    write_faces(file, opened.faces, prefix=f"{len(total.frames):06d}_")
                total.add(opened)
                bar.update()
        total.write(reader.facts.has_audio, frames.problem)
        return total.outcome(frames.problem)

    def _composed(self, opened: OpenedPhoto) -> tuple[OpenedPhoto, Photo]:
        with opened.timed("paste"):
            return opened, self._restoration.composer.compose(opened)


class _Frames:
    """The frames as opened photos; a break ends them and is kept as `problem`."""

    def __init__(self, file: PhotoFile, reader: VideoReader) -> None:
        self._file = file
        self._reader = reader
        self.problem: str | None = None

    def __iter__(self) -> Iterator[OpenedPhoto]:
        try:
            for frame in self._reader:
                photo = Photo(frame.image, None, None)
                yield OpenedPhoto(self._file, photo, time=frame.time, original_size=size_of(photo))
        except UserError as error:
            self.problem = str(error)


class _Total:
    """What is reported of the frames."""

    def __init__(self, file: PhotoFile) -> None:
        self._file = file
        self.frames: list[dict[str, Any]] = []
        self._seconds: dict[str, float] = {}
        self._shown: list[tuple[Any, Any]] = []

    def add(self, opened: OpenedPhoto) -> None:
        """Note a frame that was written."""
        assert opened.time is not None
        self.frames.append({"time": round(float(opened.time), 6), "faces": faces_of(opened)})
        for part, spent in opened.seconds.items():
            self._seconds[part] = self._seconds.get(part, 0.0) + spent
        if len(self._shown) < SHOWN_FACES:
            self._shown.extend((face.crop, face.restored) for face in opened.faces[:1])

    def write(self, has_audio: bool, problem: str | None) -> None:
        """Write the report, if there was a frame."""
        if not self.frames:
            return
        seconds = {part: round(spent, 6) for part, spent in self._seconds.items()}
        result = self._file.result.relative_to(self._file.output).as_posix()
        content = {"input": str(self._file.source), "result": result, "audio": has_audio, "problem": problem}
        write_report(self._file, content | {"seconds": seconds, "frames": self.frames})

    def outcome(self, problem: str | None) -> Outcome:
        """What the whole restoration is told of the video."""
        faces = sum(len(frame["faces"]) for frame in self.frames)
        return Outcome(self._file, problem, faces, len(self.frames), self._seconds, self._shown)
