"""Signals in the loader processes of a training. Imports no torch."""

import os
import signal
import threading


def leave_signals_to_trainer() -> None:
    """Live on when a scheduler asks all processes of a job to end: the trainer needs batches until it has saved.

    SIGTERM of the trainer itself ends a loader process, which otherwise would be waited for.
    """
    for number in (signal.SIGINT, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):  # macOS cannot tell who sends a signal
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_obey, args=(os.getppid(),), daemon=True).start()


def _obey(trainer: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != trainer:
        pass
    os._exit(0)
