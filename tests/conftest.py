"""Fixtures shared by all tests."""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from tests.fork_server.executable import fork_server

ROOT = Path(__file__).resolve().parents[1]
FORKED_PYTHON = "BFR_TEST_PYTHON"
"""Environment variable with the path of `forked_python`."""


def pytest_configure(config: pytest.Config) -> None:
    """Start one fork server for all processes of pytest-xdist, which inherit the environment."""
    if FORKED_PYTHON not in os.environ:
        ended = ExitStack()
        os.environ[FORKED_PYTHON] = str(ended.enter_context(fork_server()))
        ended.callback(os.environ.pop, FORKED_PYTHON)
        config.add_cleanup(ended.close)


@pytest.fixture(scope="session")
def forked_python() -> str:
    """To use like `sys.executable`, for commands that import torch and Lightning: each is a fork of one process."""
    return os.environ[FORKED_PYTHON]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Small tensors, for which threads would only wait on each other; files of tests run side by side instead."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The optional folder with photographs, weights and golden arrays beside the repository."""
    folder = ROOT.parent / "shared"
    if not (folder / "reference").is_dir():
        pytest.skip("the folder ../shared with reference arrays and photographs is absent")
    return folder
