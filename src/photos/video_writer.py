"""Writes a video with the sound and the presentation times of another one."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from jaxtyping import UInt8

from src.checkpoints.files import atomic_path
from src.photos.video_colour import YuvConverter, header_of, matrix_of
from src.photos.video_reader import VideoReader, open_media, pictures_of
from src.photos.video_sound import SoundCopy
from src.settings.errors import UserError

LEAST_TIMESCALE = 10_000
"""Ticks a second in which a file says at least when its tracks begin; FFmpeg's own 1000 would round."""


class VideoWriter:
    """H.264 in an mp4 file, under a temporary name until the `with` block ends well.

    `like` is the video whose sound, time base, shape of pixels and meaning of colours are taken; `size` is (width,
    height) of the frames, odd sides are padded by repeating the last row or column. `quality` is the constant rate
    factor, 0 to 51. A video that begins before time zero, and its sound, are moved to begin there.

    Raises:
        UserError: the file cannot be written, or `like` cannot be read.
    """

    def __init__(self, path: Path, *, like: Path, size: tuple[int, int], quality: int) -> None:
        self._path = path
        self._like = like
        self._size = size
        self._quality = quality
        self._shift: Fraction | None = None
        self._last = -1

    def __enter__(self) -> "VideoWriter":
        with VideoReader(self._like) as reader:
            self._facts = reader.facts
        with self._explained(), ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(self._path))
            source = stack.enter_context(open_media(self._like))
            pictures = pictures_of(source, self._like)
            options = {"movie_timescale": str(_timescale(Fraction(pictures.time_base)))}
            self._output: Any = av.open(str(temporary.absolute()), "w", format="mp4", options=options)
            stack.push(self._close)
            stack.push(self._finish)
            self._stream = self._video_stream(pictures)
            self._sound = SoundCopy(source, self._output)
            self._stack = stack.pop_all()
        return self

    def write(self, image: UInt8[np.ndarray, "h w 3"], time: Fraction) -> None:
        """Add an RGB frame that is shown at `time`, seconds; times must grow."""
        if self._shift is None:
            self._shift = self._sound.shift = max(Fraction(0), -time)
        # Two frames may not share one tick.
        self._last = max(round((time + self._shift) / self._time_base), self._last + 1)
        with self._explained():
            self._sound.write_until(time)
            self._output.mux(self._stream.encode(self._colours.convert(_even(image), self._last)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._explained():
            self._stack.__exit__(kind, error, trace)

    def _close(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """After an error whatever this raises would hide it."""
        try:
            self._output.close()
        except (FFmpegError, OSError):
            if kind is None:
                raise

    def _finish(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what the encoder still holds, and the sound that lasts longer."""
        if kind is None:
            self._output.mux(self._stream.encode())
            self._sound.write_rest()

    def _video_stream(self, source: Any) -> Any:
        stream = self._output.add_stream("libx264", options={"crf": str(self._quality)})
        width, height = self._size
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = self._time_base = Fraction(source.time_base)
        context.framerate = self._facts.rate
        context.sample_aspect_ratio = self._facts.pixel_aspect
        named = source.codec_context
        matrix = matrix_of(int(named.colorspace), height)
        self._colours = YuvConverter(stream.width, stream.height, matrix, self._time_base)
        header = header_of(matrix, int(named.color_primaries), int(named.color_trc))
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = header
        return stream

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UserError(f"{self._path}: the video cannot be written ({reason})") from None


def _timescale(time_base: Fraction) -> int:
    scale = time_base.denominator
    while scale < LEAST_TIMESCALE:
        scale *= 2
    return scale


def _even(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "_ _ 3"]:
    height, width = image.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return np.ascontiguousarray(image)
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
