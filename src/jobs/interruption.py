"""Signals that ask a training to end, and how it ends: with a defined exit status, and no failure. Imports no torch."""

import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

INTERRUPTED = os.EX_TEMPFAIL
"""Exit status of a process that a signal ended before its work was done: 75, "try again", because the same command
continues it."""
STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR2, signal.SIGINT)
"""What schedulers send before they take a machine away, what submitit is sent before the time is up, and Ctrl-C."""
REPEATED = 1.0
"""Seconds within which further signals are the same request, which reaches a process directly and passed on by launchers."""

Handler = Callable[[int, FrameType | None], Any] | int | None


class Interrupted(SystemExit):
    """A signal asked this process to end; no `Exception`, so that nothing takes it for a failure."""

    def __init__(self, status: int = INTERRUPTED) -> None:
        super().__init__(status)


class StopSignals:
    """What signals have asked of this process.

    A signal raises `Interrupted` where it arrives; while `deferred`, it is only remembered, until the work is at a point
    from which it can be continued. A second Ctrl-C does not wait for that.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.deferred = False
        self._since = 0.0

    def handle(self, signum: int, frame: FrameType | None) -> None:
        """Remember the signal, or raise `Interrupted`."""
        if self.received is None:
            self.received, self._since = signal.Signals(signum), time.monotonic()
            waits = self.deferred
        else:
            again = time.monotonic() - self._since > REPEATED
            waits = not again or (self.deferred and signum != signal.SIGINT)
        if not waits:
            raise Interrupted

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Handle `STOP_SIGNALS` in the block; elsewhere than in the main thread, which alone may, do nothing."""
        kept = install(self.handle)
        try:
            yield
        finally:
            restore(kept)

    def defer(self) -> None:
        """Only remember signals from now on, also those that a library has put a handler of its own for."""
        self.deferred = True
        install(self.handle)

    def at_once(self) -> None:
        """End `defer`."""
        self.deferred = False


STOP = StopSignals()
"""Of this process: signals are sent to it as a whole."""


def install(handler: Handler) -> dict[signal.Signals, Handler]:
    """Let `handler` have `STOP_SIGNALS`; return what had them."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, handler) for number in STOP_SIGNALS}


def restore(handlers: dict[signal.Signals, Handler]) -> None:
    """Undo `install`."""
    for number, handler in handlers.items():
        signal.signal(number, signal.SIG_DFL if handler is None else handler)


def stopped(what: str, *, with_command: bool) -> str:
    """A sentence that says that `what` was stopped, and for the user who started this process how it is continued."""
    by = "" if STOP.received is None else f" by {STOP.received.name}"
    again = shlex.join(["python", "-m", "src.train", *sys.argv[1:]])
    return f"{what}: stopped{by}" + (f"; continue with `{again}`" if with_command else "")
