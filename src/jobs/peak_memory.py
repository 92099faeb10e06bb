"""The memory that a stretch of work needs beyond what is held when it begins."""

import os
from pathlib import Path

import torch

from src.memory import return_freed_memory

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


class MemoryGrowth:
    """Largest growth of the memory of a device: allocated on a GPU, resident in this process on a CPU."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._start: float | None = None

    def start(self) -> None:
        """Begin a stretch of work."""
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            self._start = torch.cuda.memory_allocated(self._device) / 2**20
        elif os.access(_CLEAR, os.W_OK):
            return_freed_memory()
            _CLEAR.write_text("5")  # sets the peak to what is resident now
            self._start = _status("VmRSS")

    def megabytes(self) -> float | None:
        """Growth in MiB since `start`; None where the system does not tell."""
        if self._start is None:
            return None
        on_gpu = self._device.type == "cuda"
        peak = torch.cuda.max_memory_allocated(self._device) / 2**20 if on_gpu else _status("VmHWM")
        return None if peak is None else max(peak - self._start, 0.0)


def _status(key: str) -> float | None:
    found = [line.split()[1] for line in _STATUS.read_text().splitlines() if line.startswith(f"{key}:")]
    return int(found[0]) / 1024 if found else None
