"""Reads a video frame by frame, upright and in the order in which it is shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from jaxtyping import UInt8

from src.photos.video_colour import to_rgb
from src.settings.errors import UserError

DEFAULT_RATE = Fraction(25)
END_SLACK = Fraction(1, 2)
"""The last frame may be shown so long, and the sound end so much later, before the file counts as cut off, seconds."""


@dataclass(frozen=True)
class VideoFacts:
    """What a container says of its video."""

    frames: int | None
    """None if it does not say."""
    rate: Fraction
    """Average frames a second."""
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

    Raises:
        UserError: the file is no video; while iterating, the video breaks off.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._container: Any = av.open(str(path))
        except (FFmpegError, OSError, ValueError) as error:
            raise UserError(
                f"{path}: is not a video that can be read ({_reason(error)}); replace or remove it"
            ) from None
        if not self._container.streams.video:
            self._container.close()
            raise UserError(f"{path}: has no pictures, only sound or text; remove it from the input")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self.facts = VideoFacts(
            self._stream.frames or None,
            Fraction(self._stream.average_rate or DEFAULT_RATE),
            bool(self._container.streams.audio),
        )

    @property
    def _length(self) -> Fraction | None:
        """When the pictures should end, seconds, if the container says it."""
        if self._stream.duration is not None:
            begin = self._stream.start_time or 0
            return int(begin + self._stream.duration) * Fraction(str(self._stream.time_base))
        if self._container.duration is None:
            return None
        return Fraction(self._container.duration, av.time_base)

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[VideoFrame]:
        number, last = 0, Fraction(0)
        try:
            for frame in self._container.decode(self._stream):
                last = self._time(frame, number)
                yield VideoFrame(last, _upright(frame))
                number += 1
        except (FFmpegError, OSError, ValueError) as error:
            raise UserError(f"{self._path}: breaks off after frame {number} ({_reason(error)})") from None
        if number == 0:
            raise UserError(f"{self._path}: holds no frame that can be decoded; replace or remove it")
        # A cut file may end without an error.
        if self._length is not None and last + END_SLACK < self._length:
            raise UserError(
                f"{self._path}: breaks off after frame {number}, at {float(last):.1f} of {float(self._length):.1f} s"
            )

    def _time(self, frame: Any, number: int) -> Fraction:
        if frame.pts is None:
            return number / self.facts.rate
        return int(frame.pts) * Fraction(frame.time_base)


def _upright(frame: Any) -> UInt8[np.ndarray, "h w 3"]:
    """Pixels, turned as the video's display matrix says (degrees counter-clockwise)."""
    image = to_rgb(frame).to_ndarray()
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90) % 4))


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
