"""Fixtures of the diffusion tests."""

from pathlib import Path

import numpy as np
import pytest

from tests.diffusion.golden import golden_arrays


@pytest.fixture(scope="session")
def golden(root: Path) -> dict[str, np.ndarray]:
    """The official diffusion process's arrays."""
    return golden_arrays(root)
