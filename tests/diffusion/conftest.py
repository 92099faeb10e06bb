"""Fixtures of the diffusion tests."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.diffusion.golden import golden_arrays


@pytest.fixture(scope="session")
def golden(root: Path) -> dict[str, np.ndarray]:
    """The official diffusion process's arrays."""
    return golden_arrays(root)


@pytest.fixture(scope="package", autouse=True)
def _one_thread() -> Iterator[None]:
    """Thousands of operations on small tensors, for which threads would only wait on each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
