"""The most memory that a stretch of work holds."""

import os
from pathlib import Path

import torch

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


class PeakMemory:
    """Peak from `start` on: allocated memory of a GPU, or the resident memory of this process on a CPU."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def start(self) -> None:
        """Forget earlier peaks."""
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        elif os.access(_CLEAR, os.W_OK):
            _CLEAR.write_text("5")

    def megabytes(self) -> float | None:
        """The peak in MiB; None where the system does not tell."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) / 2**20
        if not os.access(_CLEAR, os.W_OK) or not _STATUS.is_file():
            return None
        peaks = [line.split()[1] for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(peaks[0]) / 1024 if peaks else None
