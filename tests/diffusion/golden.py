"""The arrays of DifFace's official diffusion process (GOLDEN.md, part DifFace: sched.*, stub.*, chain.*) and their inputs."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

SEED = 100


def golden_arrays(root: Path) -> dict[str, np.ndarray]:
    """Arrays by name."""
    with np.load(root / "tests" / "data" / "difface_diffusion_golden.npz") as stored:
        return dict(stored)


def uniform(i: int, *shape: int) -> Tensor:
    """U(i, shape) of GOLDEN.md."""
    return torch.from_numpy(np.random.RandomState(SEED + i).uniform(-1, 1, shape).astype(np.float32))


def normal(i: int, *shape: int) -> Tensor:
    """G(i, shape) of GOLDEN.md."""
    return torch.from_numpy(np.random.RandomState(SEED + i).standard_normal(shape).astype(np.float32))
