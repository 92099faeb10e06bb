"""Reads a video frame by frame, upright and in the order in which it is shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.stream import Disposition
from jaxtyping import UInt8

from src.checkpoints.plain_files import check_regular
from src.photos.video_clock import FrameClock
from src.photos.video_colour import to_rgb
from src.photos.video_turn import is_sideways, turn_of, turned
from src.settings.errors import UserError

CONTAINERS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi",
}
"""Options of FFmpeg: playlists, which name other files, are none of the formats, whatever a file is called."""
MOST_PIXELS = 2**26
"""Of a frame, 8192 x 8192; a header of some bytes can promise any size."""
DEFAULT_RATE = Fraction(25)
END_SLACK = Fraction(1, 2)
"""A file may end so much before the length that it states, before it counts as cut off, seconds."""


@dataclass(frozen=True)
class VideoFacts:
    """What a container says of its video."""

    frames: int | None
    """None if it does not say."""
    rate: Fraction
    """Average frames a second."""
    pixel_aspect: Fraction
    """Width of a pixel over its height, upright."""
    has_audio: bool


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """One frame."""

    time: Fraction
    """When it is shown, seconds."""
    image: UInt8[np.ndarray, "h w 3"]
    """RGB, turned upright."""


class VideoReader:
    """Frames of a video in the order of presentation, decoded as they are asked for; use it in a `with` block.

    It can be gone through once, and only its first frame is decoded ahead. Where size or rotation change on the way, those
    of the first frame stay.

    Raises:
        UserError: the file is no video; while iterating, after the frames before it: the video breaks off.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._container = open_media(path)
        try:
            self._stream = pictures_of(self._container, path)
            # Threads for whole frames would decode on behind a break.
            self._stream.thread_type = "SLICE"
            self._stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
            rate = Fraction(self._stream.average_rate or DEFAULT_RATE)
            self._is_avi = self._container.format.name == "avi"
            self._clock = FrameClock(rate, Fraction(self._stream.time_base), in_turn=self._is_avi)
            self._reached = Fraction(0)
            self._problem: str | None = None
            self._decoded = self._decode()
            first = next(self._decoded, None)
            if first is None:
                raise UserError(f"{path}: holds no frame that can be decoded; replace or remove it")
        except BaseException:
            self._container.close()
            raise
        self._first = first
        has_audio = any(stream.codec_context is not None for stream in self._container.streams.audio)
        self.facts = VideoFacts(self._stream.frames or None, rate, self._pixel_aspect(), has_audio)

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[VideoFrame]:
        number = 0
        for frame in chain([self._first], self._decoded):
            try:
                image = turned(to_rgb(frame, self._first.width, self._first.height), turn_of(self._first))
            except FFmpegError as error:
                self._problem = _reason(error)
                break
            yield VideoFrame(self._clock.time(frame), image)
            number += 1
        problem = self._problem or self._missing_end()
        if problem is not None:
            raise UserError(f"{self._path}: breaks off after frame {number} ({problem})")

    def _pixel_aspect(self) -> Fraction:
        aspect = Fraction(self._stream.sample_aspect_ratio or 1)
        return 1 / aspect if is_sideways(turn_of(self._first)) else aspect

    def _decode(self) -> Iterator[Any]:
        try:
            # Packets of all streams, because the last of any of them tells whether the file is whole.
            for packet in self._container.demux():
                self._follow(packet)
                if packet.stream_index == self._stream.index:
                    self._clock.sent(packet)
                    yield from packet.decode()
        except (FFmpegError, OSError) as error:
            self._problem = _reason(error)
            yield from self._left_in_decoder()

    def _left_in_decoder(self) -> list[Any]:
        try:
            return self._stream.decode(None)
        except FFmpegError:
            return []

    def _follow(self, packet: Any) -> None:
        begin = packet.dts if packet.pts is None else packet.pts
        if begin is not None:
            self._reached = max(self._reached, int(begin + (packet.duration or 0)) * Fraction(packet.time_base))

    def _missing_end(self) -> str | None:
        """Says how much is missing of a file that ends early, which need not be an error to the decoder."""
        end = self._stated_end()
        if end is None or self._reached + max(END_SLACK, self._clock.longest_step) >= end:
            return None
        return f"at {float(self._reached):.1f} of {float(end):.1f} s"

    def _stated_end(self) -> Fraction | None:
        # FFmpeg takes the duration of an .avi file from its size.
        if self._is_avi and self._stream.frames:
            return int(self._stream.frames) * Fraction(self._stream.time_base)
        if self._container.duration is None:
            return None
        return Fraction((self._container.start_time or 0) + self._container.duration, av.time_base)


def open_media(path: Path) -> Any:
    """The container of a file.

    Raises:
        UserError: there is no such file, or FFmpeg cannot tell what it is.
    """
    try:
        # A relative path with a colon would name a protocol.
        check_regular(path)
        return av.open(str(path.absolute()), options=CONTAINERS)
    except (FFmpegError, OSError, ValueError) as error:
        raise UserError(f"{path}: is not a video that can be read ({_reason(error)}); replace or remove it") from None


def pictures_of(container: Any, path: Path) -> Any:
    """The first stream of moving pictures; the cover of a piece of music is none.

    Raises:
        UserError: there is none that can be decoded.
    """
    for stream in container.streams.video:
        if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic:
            return stream
    raise UserError(f"{path}: has no pictures that can be decoded, only sound or text; remove it from the input")


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
