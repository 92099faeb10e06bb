"""Faults that end a training from outside and come as errors of torch, told as sentences."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from src.data.lost_loader import told_loss
from src.settings.errors import UserError

PEER = re.compile(
    r"(connection (?:closed|reset|refused)[^[.\n]*|broken pipe|timed out[^\n]{0,60}|socket timeout"
    r"|ncclRemoteError|ncclSystemError|ncclInternalError|communicator was aborted|watchdog caught[^\n]*)",
    re.IGNORECASE,
)
"""Gloo, NCCL and torch's store on a process that is gone, or does not answer within `cluster.patience`."""


class LostPeerError(UserError):
    """Another process of the training ended or does not answer; its own message says why."""


@contextmanager
def told_faults() -> Iterator[None]:
    """Around a training.

    Raises:
        LostLoaderError: a loader process was killed.
        LostPeerError: another process of the training ended or does not answer.
    """
    try:
        with told_loss():
            yield
    except RuntimeError as error:
        if found := PEER.search(str(error)):
            raise LostPeerError(
                f"another process of this training ended or does not answer ({found[1].strip()}); its own message says "
                "why, then give the same command again: the training goes on from its last checkpoint"
            ) from error
        raise
