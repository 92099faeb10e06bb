"""When the frames of a video are shown."""

from collections import deque
from fractions import Fraction
from typing import Any


class FrameClock:
    """Presentation times of decoded frames, seconds; they always grow.

    An .avi file (`in_turn`) tells only when packets are decoded; its n-th frame is shown when its n-th packet is due.
    """

    def __init__(self, rate: Fraction, time_base: Fraction, *, in_turn: bool) -> None:
        self._time_base = time_base
        self._period = 1 / rate
        self._due: deque[Fraction] | None = deque() if in_turn else None
        self._last: Fraction | None = None
        self.longest_step = Fraction(0)
        """Longest time for which a frame was shown so far, seconds."""

    def sent(self, packet: Any) -> None:
        """A packet goes to the decoder."""
        if self._due is not None and packet.dts is not None:
            self._due.append(int(packet.dts) * self._time_base)

    def time(self, frame: Any) -> Fraction:
        """When the frame, which is the next one shown, is shown."""
        time = self._stated(frame)
        if self._last is None:
            time = time or Fraction(0)
        else:
            time = self._last + self._period if time is None else time
            time = max(time, self._last + self._time_base)
            self.longest_step = max(self.longest_step, time - self._last)
        self._last = time
        return time

    def _stated(self, frame: Any) -> Fraction | None:
        if self._due is not None:
            return self._due.popleft() if self._due else None
        return None if frame.pts is None else int(frame.pts) * self._time_base
