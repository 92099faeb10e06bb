"""How a loader process sets itself up."""

from src.data.loader_signals import leave_signals_to_trainer
from src.memory import keep_freed_memory


def one_thread(worker: int) -> None:
    """One thread of arithmetic, because there is a process a core; freed memory is kept for the next face."""
    leave_signals_to_trainer()
    import cv2
    import torch

    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    keep_freed_memory()
