"""Memory that starts at a cache line: vector loads that straddle two lines run at half the speed."""

import numpy as np
from jaxtyping import Float32

LINE = 64
"""Bytes of a cache line, and of the widest vector."""


def aligned_empty(*shape: int) -> Float32[np.ndarray, "..."]:
    """Memory of any content whose first number lies at the start of a cache line."""
    count = int(np.prod(shape))
    spare = np.empty(count + LINE // 4, np.float32)
    start = -spare.ctypes.data % LINE // 4
    return spare[start : start + count].reshape(shape)
