"""The arrays of the official degradation (GOLDEN.md, CodeFormer, deg_*), and the picture they were made from."""

from pathlib import Path

import numpy as np

Golden = dict[str, np.ndarray]


def golden_arrays(root: Path) -> Golden:
    """Arrays by name."""
    with np.load(root / "tests" / "data" / "degradation_golden.npz") as stored:
        return dict(stored)


def smooth_picture() -> np.ndarray:
    """The smooth input of GOLDEN.md in [0, 1], HWC, float32."""
    y, x = np.mgrid[0:512, 0:512] / 512
    planes = [
        0.6 * np.sin(2 * np.pi * ((c + 1) * x + 0.25 * c)) * np.cos(2 * np.pi * (3 - c) * y)
        + 0.3 * np.cos(2 * np.pi * (c + 2) * (x + y))
        for c in range(3)
    ]
    return (np.stack(planes, -1).astype(np.float32) + 1) / 2
