"""Stamps of time that keep their order where a clock is set back, as after a leap or on another machine."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

TICK = timedelta(microseconds=1)


def present() -> datetime:
    """The clock of this machine, in UTC."""
    return datetime.now(UTC)


def later_stamp(earlier: Iterable[str]) -> str:
    """The present as ISO 8601 in UTC, or the tick after the last of `earlier`, if the clock has not come so far.

    What is no stamp with a time zone, or leaves no tick after it, counts as none. As texts, stamps are in the order of
    their times.
    """
    return max([present(), *(tick for tick in map(_tick_after, earlier) if tick is not None)]).isoformat()


def _tick_after(stamp: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(stamp)
        return time.astimezone(UTC) + TICK if time.tzinfo is not None else None
    except (ValueError, TypeError, OverflowError):
        return None
