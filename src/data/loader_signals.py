"""Signals in the loader processes of a training. Imports no torch."""

import signal
from types import FrameType

PATIENCE = 1
"""How many SIGTERM a loader process lets pass."""


def leave_signals_to_trainer() -> None:
    """Live on when a scheduler asks all processes of a job to end: the trainer needs batches until it has saved.

    A further SIGTERM is its own, for a loader process that does not end by itself.
    """
    passed = 0

    def terminate(signum: int, frame: FrameType | None) -> None:
        nonlocal passed
        passed += 1
        if passed > PATIENCE:
            raise SystemExit(0)

    signal.signal(signal.SIGTERM, terminate)
    for number in (signal.SIGINT, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
