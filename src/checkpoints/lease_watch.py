"""Whether anybody holds a lease, seen from outside. Imports no torch."""

import time
from pathlib import Path


class LeaseWatch:
    """Looks at the lock file of a lease again and again, by the clock of this process alone: other machines' may differ."""

    def __init__(self, lock: Path, lease_seconds: int) -> None:
        self._lock, self._lease_seconds = lock, lease_seconds
        self._renewal: int | None = None
        self._renewed = self._held = time.monotonic()

    def unheld_seconds(self) -> float:
        """For how long nobody has held it; a file that is renewed no more was left by a process that is dead."""
        now, renewal = time.monotonic(), self._last_renewal()
        if renewal != self._renewal:
            self._renewal, self._renewed = renewal, now
        if renewal is not None and now - self._renewed < self._lease_seconds:
            self._held = now
        return now - self._held

    def _last_renewal(self) -> int | None:
        try:
            return self._lock.stat().st_mtime_ns
        except OSError:
            return None
