"""Brings the sound of one file into another."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from av.error import FFmpegError

COPIED_CODECS = ("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac")
"""What an mp4 file holds as it is; other sound becomes AAC."""
AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
AAC_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}
AAC_BITS = 96_000
"""Bits a second and channel."""


class SoundCopy:
    """All sound of a file, carried into an output as the pictures proceed, so that neither waits in memory.

    `shift` is added to every time, seconds. Of a broken file the sound is kept as far as it can be read.
    """

    def __init__(self, source: Any, output: Any) -> None:
        self._output = output
        self.shift = Fraction(0)
        streams = [stream for stream in source.streams.audio if stream.codec_context is not None]
        self._tracks = {stream.index: _track(stream, output) for stream in streams}
        self._packets: Iterator[Any] = source.demux(streams) if streams else iter(())
        self._next: Any = None

    def write_until(self, time: Fraction) -> None:
        """Sound that begins by `time`, seconds, and has not been written yet."""
        while (packet := self._peek()) is not None and packet.dts * Fraction(packet.time_base) <= time:
            self._take(packet)

    def write_rest(self) -> None:
        """All that is left."""
        while (packet := self._peek()) is not None:
            self._take(packet)
        for track in self._tracks.values():
            self._write(track.flushed())

    def _peek(self) -> Any:
        """The next packet that has a time; the others only tell that a stream is over."""
        while self._next is None:
            try:
                packet = next(self._packets, None)
            except (FFmpegError, OSError):
                self._packets = iter(())
                return None
            if packet is None:
                return None
            if packet.dts is None:
                packet.dts = packet.pts
            self._next = packet if packet.dts is not None else None
        return self._next

    def _take(self, packet: Any) -> None:
        self._next = None
        self._write(self._tracks[packet.stream_index].carried(packet))

    def _write(self, packets: list[Any]) -> None:
        for packet in packets:
            ticks = round(self.shift / Fraction(packet.time_base))
            packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
            self._output.mux(packet)


class _CopiedTrack:
    """Packets as they are."""

    def __init__(self, source: Any, output: Any) -> None:
        self._target = output.add_stream_from_template(source)
        self._last: int | None = None

    def carried(self, packet: Any) -> list[Any]:
        # The half packet at the end of a cut file; and a muxer refuses times that do not grow.
        if packet.is_corrupt or (self._last is not None and packet.dts <= self._last):
            return []
        self._last = packet.dts
        if packet.pts is None:
            packet.pts = packet.dts
        packet.stream = self._target
        return [packet]

    def flushed(self) -> list[Any]:
        return []


class _EncodedTrack:
    """Sound as AAC, with the same channels and rate where AAC has them."""

    def __init__(self, source: Any, output: Any) -> None:
        self._source = source
        rate = min(AAC_RATES, key=lambda known: abs(known - source.codec_context.sample_rate))
        layout = AAC_LAYOUTS.get(source.codec_context.layout.nb_channels, "stereo")
        self._target = output.add_stream("aac", rate=rate, layout=layout)
        self._target.codec_context.bit_rate = AAC_BITS * self._target.codec_context.layout.nb_channels

    def carried(self, packet: Any) -> list[Any]:
        try:
            return [coded for frame in packet.decode() for coded in self._target.encode(frame)]
        except (FFmpegError, ValueError):  # damaged, or its channels change on the way
            return []

    def flushed(self) -> list[Any]:
        try:
            frames = self._source.decode(None)
        except FFmpegError:
            frames = []
        return [coded for frame in (*frames, None) for coded in self._target.encode(frame)]


def _track(stream: Any, output: Any) -> _CopiedTrack | _EncodedTrack:
    is_held = stream.codec_context.name.removesuffix("float") in COPIED_CODECS
    return _CopiedTrack(stream, output) if is_held else _EncodedTrack(stream, output)
