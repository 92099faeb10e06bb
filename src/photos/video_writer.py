"""Writes a video with the sound and the presentation times of another one."""

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame as RawFrame
from av.video.reformatter import Colorspace
from jaxtyping import UInt8

from src.checkpoints.files import atomic_path
from src.photos.video_colour import BT709, SMPTE170M, matrix_of, to_yuv
from src.settings.errors import UserError

COPIED_SOUND = ("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac")
"""Codecs that an mp4 file holds as they are; others become AAC."""
LIMITED_RANGE = 1


class VideoWriter:
    """H.264 in an mp4 file, under a temporary name until the `with` block ends well.

    `like` is the video whose sound and time base are taken; `size` is (width, height) of the frames, odd sides are
    padded by repeating the last row or column. `quality` is the constant rate factor, 0 to 51.

    Raises:
        UserError: the file cannot be written.
    """

    def __init__(self, path: Path, *, like: Path, size: tuple[int, int], quality: int) -> None:
        self._path = path
        self._like = like
        self._size = size
        self._quality = quality
        self._stack = ExitStack()
        self._last = -(1 << 62)

    def __enter__(self) -> "VideoWriter":
        try:
            temporary = self._stack.enter_context(atomic_path(self._path))
            self._source: Any = self._stack.enter_context(av.open(str(self._like)))
            self._output: Any = av.open(str(temporary), "w", format="mp4")
            self._stack.push(self._close)
            self._stream = self._video_stream()
            self._sound = _Sound(self._source, self._output)
        except (FFmpegError, OSError, ValueError) as error:
            self._stack.__exit__(type(error), error, error.__traceback__)
            raise self._failure(error) from None
        return self

    def write(self, image: UInt8[np.ndarray, "h w 3"], time: Fraction) -> None:
        """Add an RGB frame that is shown at `time`, seconds; times must grow."""
        frame = to_yuv(RawFrame.from_ndarray(_even(image), format="rgb24"), self._matrix)
        base = Fraction(self._stream.codec_context.time_base)
        frame.time_base = base
        # Two frames may not share one tick.
        frame.pts = self._last = max(round(time / base), self._last + 1)
        try:
            self._sound.write_until(time)
            self._output.mux(self._stream.encode(frame))
        except (FFmpegError, OSError) as error:
            raise self._failure(error) from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            try:
                self._output.mux(self._stream.encode())
                self._sound.write_until(None)
                self._stack.__exit__(None, None, None)
            except (FFmpegError, OSError) as failed:
                self._stack.__exit__(type(failed), failed, failed.__traceback__)
                raise self._failure(failed) from None
        else:
            self._stack.__exit__(kind, error, trace)

    def _close(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file; after an error whatever this raises would hide it."""
        try:
            self._output.close()
        except (FFmpegError, OSError):
            if kind is None:
                raise

    def _video_stream(self) -> Any:
        source = self._source.streams.video[0]
        stream = self._output.add_stream("libx264", options={"crf": str(self._quality)})
        width, height = self._size
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(source.time_base)
        context.framerate = Fraction(source.average_rate or 25)
        self._matrix = matrix_of(int(source.codec_context.colorspace), height)
        tag = BT709 if self._matrix == Colorspace.ITU709 else SMPTE170M
        if self._matrix == Colorspace.BT2020:
            self._matrix, tag = Colorspace.ITU709, BT709
        context.colorspace = context.color_primaries = context.color_trc = tag
        context.color_range = LIMITED_RANGE
        return stream

    def _failure(self, error: BaseException) -> UserError:
        reason = getattr(error, "strerror", None) or str(error)
        return UserError(f"{self._path}: the video cannot be written ({reason})")


class _Sound:
    """Brings the sound over, only as far as the pictures are, so that neither waits in memory."""

    def __init__(self, source: Any, output: Any) -> None:
        self._output = output
        streams = [stream for stream in source.streams.audio if stream.codec_context is not None]
        self._targets = {stream.index: self._target(stream) for stream in streams}
        self._packets: Iterator[Any] = source.demux(streams) if streams else iter(())
        self._next: Any = None

    def _target(self, stream: Any) -> tuple[Any, bool]:
        """The stream in the output, and whether packets are copied into it."""
        if stream.codec_context.name.removesuffix("float") in COPIED_SOUND:
            return self._output.add_stream_from_template(stream), True
        return self._output.add_stream("aac", rate=stream.codec_context.sample_rate), False

    def write_until(self, time: Fraction | None) -> None:
        """All sound that begins by `time`, seconds; None for the rest."""
        while (packet := self._peek()) is not None:
            begins = None if packet.pts is None else packet.pts * Fraction(packet.time_base)
            if time is not None and begins is not None and begins > time:
                return
            self._next = None
            self._write(packet)

    def _peek(self) -> Any:
        if self._next is None:
            self._next = next(self._packets, None)
        return self._next

    def _write(self, packet: Any) -> None:
        target, is_copied = self._targets[packet.stream.index]
        if not is_copied:
            for frame in packet.decode():
                self._output.mux(target.encode(frame))
            if packet.dts is None:
                self._output.mux(target.encode(None))
        elif packet.dts is not None:
            packet.stream = target
            self._output.mux(packet)


def _even(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "_ _ 3"]:
    height, width = image.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return np.ascontiguousarray(image)
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
