"""A child process that is told of the signals that its parent gets. Imports no torch."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from types import FrameType

from src.jobs.interruption import INTERRUPTED, STOP_SIGNALS, Handler, Interrupted, install, restore

_STOPPED = (INTERRUPTED, *(-number for number in STOP_SIGNALS))
"""Exit statuses of a child that was asked to end; one that starts up still dies of the signal itself."""


def run_child(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command to its end and return its exit status; its output goes to this terminal.

    A signal that asks this process to end is passed on, as SIGTERM, which `torchrun` knows too; the child is waited for,
    and then whoever had taken the signal before gets it: submitit, which requeues the job and ends this process.

    Raises:
        Interrupted: the child or this process was asked to end.
    """
    received: list[int] = []
    child: subprocess.Popen | None = None

    def pass_on(signum: int, frame: FrameType | None) -> None:
        received.append(signum)
        if child is not None:
            child.send_signal(signal.SIGTERM)

    earlier = install(pass_on)
    try:
        child = subprocess.Popen(command, env=dict(environment))
        if received:  # while the child was being made
            child.send_signal(signal.SIGTERM)
        status = child.wait()
    finally:
        restore(earlier)
    if received or status in _STOPPED:
        _hand_over(earlier, received)
        # Of the tasks of one job, the first one requeues, and must not be taken down by another one that fails.
        raise Interrupted(INTERRUPTED if environment.get("RANK", "0") == "0" else 0)
    return status


def _hand_over(handlers: Mapping[signal.Signals, Handler], received: Sequence[int]) -> None:
    """Give the signals to whoever would have had them; Python's own handler of Ctrl-C would only be another way to end."""
    for signum in dict.fromkeys(received):
        handler = handlers[signal.Signals(signum)]
        if callable(handler) and handler is not signal.default_int_handler:
            handler(signum, None)
