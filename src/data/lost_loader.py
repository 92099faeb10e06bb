"""Loader processes that are killed, as when memory runs out: what torch and the system say of it, as one sentence."""

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from src.settings.errors import UserError

KILLED = re.compile(r"DataLoader worker \(pid(?:\(s\))?[\d, ]*\) (?:is )?([^.]+)")
"""Torch on a loader process that ended: by a signal, with a status, or unexpectedly."""


class LostLoaderError(UserError):
    """A loader process ended while it was needed."""

    def __init__(self, reason: str) -> None:
        """For a reason that torch or the system tells."""
        super().__init__(
            f"workers: a loader process ended ({reason}), as when memory runs out; take fewer of them (trainer.workers of a "
            "training), then give the same command again: a training or a packing goes on where it was"
        )


@contextmanager
def told_loss() -> Iterator[None]:
    """Around work that needs loader processes: torch tells of one that died wherever this process is.

    Raises:
        LostLoaderError: one was killed.
    """
    try:
        yield
    except LostLoaderError:
        _hear_no_more()
        raise
    except RuntimeError as error:
        if found := KILLED.search(str(error)):
            _hear_no_more()
            raise LostLoaderError(found[1]) from error
        raise


def _hear_no_more() -> None:
    """Torch raises an error for every loader process that dies, wherever this process then is; one is enough."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, lambda *_: None)
