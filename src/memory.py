"""Memory of large temporary arrays on the CPU."""

import ctypes

M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
"""Parameters of mallopt(3)."""


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory for the next array; False where it is not glibc.

    By default every large array is taken fresh from the system, which fills it with zeros page by page: a third of the
    time of CodeFormer at 512 px, and of a blur (experiments/speed). Results do not change; the process holds its peak.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, -1))


def return_freed_memory() -> None:
    """Give the memory that was freed back to the system, so that what comes next shows; on glibc, elsewhere nothing."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
