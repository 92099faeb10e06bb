"""Two gloo processes of every stage end with the same weights."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stages.small import STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_ranks_stay_in_sync(stage: str, tmp_path: Path, root: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "tests.stages.two_ranks", stage, str(tmp_path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    hashes = [(tmp_path / f"{stage}-{rank}.txt").read_text() for rank in (0, 1)]
    assert hashes[0] == hashes[1]
